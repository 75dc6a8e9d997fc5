import { SNS } from '@aws-sdk/client-sns';

export default async function ({ call, fails }) {
  const sns = new SNS({ maxAttempts: 1 });
  await call('list topics', () => sns.listTopics({}));
  await fails('publish to nothing', 'NotFoundException', () => sns.publish({ TopicArn: 'arn:aws:sns:us-east-1:000000000000:nothing', Message: 'm' }));
}
