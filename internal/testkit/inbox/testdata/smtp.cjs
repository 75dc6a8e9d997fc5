// A mail server that prints what it receives, a JSON object a line. The first line
// says at which port it listens. It takes mail by
// TLS alone, from who logs in, or if it is plain, without any of that.
const { readFileSync } = require('node:fs');
const { SMTPServer } = require('smtp-server');
const { simpleParser } = require('mailparser');

const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');
const plain = process.argv[4] === 'plain';
const server = new SMTPServer({
  disabledCommands: plain ? ['STARTTLS'] : [],
  authOptional: plain,
  key: readFileSync(process.argv[2]),
  cert: readFileSync(process.argv[3]),
  authMethods: ['PLAIN', 'LOGIN'],
  onAuth: (auth, session, done) =>
    auth.username === 'dropstack' && auth.password === 'very secret' ? done(null, { user: auth.username }) : done(new Error('wrong password')),
  onRcptTo: (to, session, done) => done(to.address.startsWith('nobody@') ? Object.assign(new Error('no such mailbox'), { responseCode: 550 }) : null),
  onData: async (stream, session, done) => {
    const m = await simpleParser(stream);
    const { mailFrom, rcptTo } = session.envelope; // the next mail's once this one is done
    done();
    say({
      from: mailFrom.address, to: rcptTo.map((r) => r.address), secure: session.secure, user: session.user,
      subject: m.subject, id: m.messageId, references: m.references ?? '', inReplyTo: m.inReplyTo ?? '', text: m.text ?? '', html: m.html || '',
      attachments: m.attachments.length, type: m.headers.get('content-type').value,
    });
  },
});
server.on('error', (e) => console.error(e.message));
server.listen(0, '127.0.0.1', () => say({ port: server.server.address().port }));
process.stdin.on('end', () => process.exit(0)).resume();
