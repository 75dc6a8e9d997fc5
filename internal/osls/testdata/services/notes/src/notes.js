const version = 'one';

exports.handler = async (event) => {
  if (event.fail) throw new Error('as it was asked to');
  if (!event.httpMethod && !event.method) {
    console.log('asked directly', event.word);
    return { version, word: event.word };
  }
  if (event.method) { // the event that the framework makes of an asynchronous request
    console.log('later', JSON.stringify(event.body));
    return;
  }
  return {
    statusCode: 200,
    headers: { 'Content-Type': 'application/json', 'X-Version': version },
    body: JSON.stringify({
      version,
      stage: process.env.STAGE,
      resource: event.resource,
      id: event.pathParameters && event.pathParameters.id,
      proxy: event.pathParameters && event.pathParameters.proxy,
      who: event.requestContext.authorizer && event.requestContext.authorizer.who,
      key: event.requestContext.identity.apiKey,
    }),
  };
};
