import { Lambda } from '@aws-sdk/client-lambda';

const text = (payload) => Buffer.from(payload).toString();

export default async function ({ call, fails, same }) {
  const lambda = new Lambda({ maxAttempts: 1 });
  const FunctionName = process.env.FUNCTION;
  await call('lambda invoke', () => lambda.invoke({ FunctionName, Payload: '{"a":1}', LogType: 'Tail' }), (out) => {
    same(text(out.Payload), '{"a":1}');
    same(out.StatusCode, 200);
    if (!Buffer.from(out.LogResult, 'base64').toString().includes('echoing')) throw new Error('the log lacks what was printed');
  });
  await call('lambda invoke failing', () => lambda.invoke({ FunctionName, Payload: '{"fail":true}' }), (out) => {
    same(out.FunctionError, 'Unhandled');
    same(JSON.parse(text(out.Payload)).errorMessage, 'asked to');
  });
  await call('lambda invoke event', () => lambda.invoke({ FunctionName, InvocationType: 'Event', Payload: '{}' }), (out) => same(out.StatusCode, 202));
  await call('lambda list functions', () => lambda.listFunctions({}), (out) => same(out.Functions.map((f) => f.FunctionName), [FunctionName]));
  await fails('lambda unknown function', 'ResourceNotFoundException', () => lambda.invoke({ FunctionName: 'nobody' }));
}
