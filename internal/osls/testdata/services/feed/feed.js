const version = 'one';

exports.handler = async (event, context) => {
  if (!event.requestContext) {
    console.log('asked directly', event.word);
    return { version, word: event.word };
  }
  const authorizer = event.requestContext.authorizer || {};
  return {
    version,
    route: event.routeKey,
    id: event.pathParameters && event.pathParameters.id,
    who: authorizer.lambda && authorizer.lambda.who,
    subject: authorizer.jwt && authorizer.jwt.claims.sub,
    ready: process.env.AWS_LAMBDA_INITIALIZATION_TYPE,
    calls: context.invokedFunctionArn.split(':').slice(7).join(':'),
  };
};
