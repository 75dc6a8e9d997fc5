// What CloudFormation sends a function that makes a resource, and what it is told.
exports.handler = async (event, context) => {
  const { RequestType, ResourceProperties: wanted } = event;
  console.log('resource', RequestType, event.LogicalResourceId, event.PhysicalResourceId || '-');
  const answer = {
    Status: wanted.Length === 'refused' ? 'FAILED' : 'SUCCESS',
    Reason: `see ${context.logStreamName}`,
    PhysicalResourceId: event.PhysicalResourceId || `plank-${wanted.Wood.Kind}`,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    Data: { Wood: wanted.Wood.Kind, Length: `${wanted.Length} m` },
  };
  const response = await fetch(event.ResponseURL, { method: 'PUT', body: JSON.stringify(answer), headers: { 'content-type': '' } });
  if (!response.ok) throw new Error(`the answer was refused: ${response.status} ${await response.text()}`);
};
