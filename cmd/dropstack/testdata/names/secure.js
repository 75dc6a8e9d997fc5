// Asks the platform by one of AWS's names, as code without any SDK does.
const https = require('https');

exports.handler = () => new Promise((resolve, reject) => {
  https.get('https://ssm.us-east-1.amazonaws.com/healthz', (answer) => {
    let said = '';
    answer.on('data', (part) => { said += part; });
    answer.on('end', () => resolve({ said, trusts: process.env.NODE_EXTRA_CA_CERTS }));
  }).on('error', reject);
});
