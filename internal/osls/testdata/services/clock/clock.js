const version = 'one';

exports.tick = async (event) => {
  if (event.word) {
    console.log('asked directly', event.word);
    return { version, word: event.word, greeting: process.env.GREETING, secret: process.env.SECRET };
  }
  console.log('tick', event.from, JSON.stringify(event));
};

exports.hear = async (event) => {
  console.log('heard', JSON.stringify(event.transformed ? event : { source: event.source, detail: event.detail }));
};
