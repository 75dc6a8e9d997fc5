const version = 'one';

exports.handler = async (event) => {
  console.log('asked directly', event.word);
  return { version, word: event.word };
};
