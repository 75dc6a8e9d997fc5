const { statSync } = require('fs');
const words = require('words');

const version = 'one';

exports.shelve = async (event) => {
  if (!event.Records) {
    console.log('asked directly', event.word);
    return { version, word: event.word, motto: process.env.MOTTO, colour: process.env.COLOUR, layer: words.greet('you'), ballast: statSync('/opt/ballast').size };
  }
  for (const { eventName, s3 } of event.Records) {
    console.log('object', eventName, s3.bucket.name, s3.object.key);
  }
};
