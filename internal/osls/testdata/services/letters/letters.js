const version = 'one';

exports.inbox = async (event) => {
  if (event.word) {
    console.log('asked directly', event.word);
    return { version, word: event.word };
  }
  if (event.responsePayload) {
    console.log('relayed', event.requestContext.condition, event.responsePayload.done);
    return;
  }
  for (const { Sns } of event.Records) {
    console.log('letter', Sns.TopicArn.split(':').pop(), Sns.Message, JSON.stringify(Sns.MessageAttributes));
  }
};

exports.worker = async (event) => {
  const batchItemFailures = [];
  for (const record of event.Records) {
    console.log('job', record.body, record.eventSourceARN.split(':').pop());
    if (record.body === 'poison') batchItemFailures.push({ itemIdentifier: record.messageId });
  }
  return { batchItemFailures };
};

exports.relay = async (event) => {
  if (event.fail) throw new Error('cannot be relayed');
  return { done: event.what };
};
