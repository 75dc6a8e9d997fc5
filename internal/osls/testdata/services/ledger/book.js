const version = 'one';

exports.handler = async (event) => {
  if (event.Records) {
    console.log('entry', event.Records[0].Sns.Message);
    return;
  }
  const { CURRENCY: currency, LEVEL: level, MISSING: missing, ENTRIES: entries, FIRST: first } = process.env;
  if (event.httpMethod) return { statusCode: 200, body: JSON.stringify({ currency, entries }) };
  console.log('asked directly', event.word);
  return { version, word: event.word, currency, level, missing, entries, first };
};
