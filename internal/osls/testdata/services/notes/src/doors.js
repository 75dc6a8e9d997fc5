const policy = (principalId, effect, resource, context) => ({
  principalId,
  context,
  policyDocument: {
    Version: '2012-10-17',
    Statement: [{ Action: 'execute-api:Invoke', Effect: effect, Resource: resource }],
  },
});

exports.ticket = async (event) => {
  const who = event.authorizationToken.slice('ticket '.length);
  if (who === 'torn') throw new Error('Unauthorized');
  return policy(who, who === 'forged' ? 'Deny' : 'Allow', event.methodArn, { who });
};

exports.guard = (event, context, callback) => {
  const who = event.headers['X-Who'];
  const may = event.queryStringParameters.why === 'work';
  callback(null, policy(who, may ? 'Allow' : 'Deny', event.methodArn, { who: `${who}!` }));
};
