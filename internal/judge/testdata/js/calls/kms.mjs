import { createDecipheriv, createCipheriv, createVerify, createPublicKey, randomBytes } from 'node:crypto';
import { KMS, paginateListKeys } from '@aws-sdk/client-kms';

const bytes = (s) => Buffer.from(s);
const text = (b) => Buffer.from(b).toString();

export default async function ({ call, fails, same }) {
  const kms = new KMS({ maxAttempts: 1 });
  const { KeyMetadata } = await call('create key', () => kms.createKey({ Description: 'js', Tags: [{ TagKey: 'team', TagValue: 'shop' }] }), ({ KeyMetadata: k }) => {
    same([k.KeySpec, k.KeyUsage, k.KeyState, k.Enabled, k.Origin, k.CreationDate instanceof Date], ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'Enabled', true, 'AWS_KMS', true]);
  });
  const { KeyId, Arn } = KeyMetadata;
  await call('create alias', () => kms.createAlias({ AliasName: 'alias/js', TargetKeyId: KeyId }));
  await fails('an alias of AWS', 'InvalidAliasNameException', () => kms.createAlias({ AliasName: 'alias/aws/js', TargetKeyId: KeyId }));
  await call('list aliases', () => kms.listAliases({ KeyId }), (out) => same(out.Aliases.map((a) => [a.AliasName, a.TargetKeyId]), [['alias/js', KeyId]]));
  await call('list keys by pages', async () => {
    await kms.createKey({});
    const found = [];
    for await (const page of paginateListKeys({ client: kms, pageSize: 1 }, {})) found.push(...page.Keys.map((k) => k.KeyId));
    return found;
  }, (found) => { if (!found.includes(KeyId)) throw new Error(`${KeyId} is not among ${found}`); });

  const EncryptionContext = { app: 'shop' };
  const { CiphertextBlob } = await call('encrypt', () => kms.encrypt({ KeyId: 'alias/js', Plaintext: bytes('hush'), EncryptionContext }), (out) => same(out.KeyId, Arn));
  await call('decrypt', () => kms.decrypt({ CiphertextBlob, EncryptionContext }), (out) => same([text(out.Plaintext), out.KeyId], ['hush', Arn]));
  await fails('decrypt in another context', 'InvalidCiphertextException', () => kms.decrypt({ CiphertextBlob, EncryptionContext: { app: 'else' } }));
  await fails('decrypt by another key', 'IncorrectKeyException', async () => {
    const other = await kms.createKey({});
    await kms.decrypt({ CiphertextBlob, EncryptionContext, KeyId: other.KeyMetadata.KeyId });
  });
  await fails('dry run', 'DryRunOperationException', () => kms.decrypt({ CiphertextBlob, EncryptionContext, DryRun: true }));
  await call('rotate and decrypt what is older', async () => {
    await kms.rotateKeyOnDemand({ KeyId });
    return kms.decrypt({ CiphertextBlob, EncryptionContext });
  }, (out) => same(text(out.Plaintext), 'hush'));
  await call('re-encrypt', () => kms.reEncrypt({ CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: Arn }), (out) => same([out.SourceKeyId, out.KeyId], [Arn, Arn]));
  await call('envelope', async () => {
    const key = await kms.generateDataKey({ KeyId, KeySpec: 'AES_256' });
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key.Plaintext, iv);
    const sealed = Buffer.concat([cipher.update('a long letter'), cipher.final()]);
    const opened = await kms.decrypt({ CiphertextBlob: key.CiphertextBlob });
    const decipher = createDecipheriv('aes-256-gcm', opened.Plaintext, iv).setAuthTag(cipher.getAuthTag());
    return decipher.update(sealed, undefined, 'utf8') + decipher.final('utf8');
  }, (letter) => same(letter, 'a long letter'));
  await call('random', () => kms.generateRandom({ NumberOfBytes: 24 }), (out) => same(out.Plaintext.length, 24));

  const { KeyMetadata: signer } = await call('create key to sign', () => kms.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }));
  const signed = { KeyId: signer.KeyId, Message: bytes('a contract'), SigningAlgorithm: 'ECDSA_SHA_256' };
  const { Signature } = await call('sign', () => kms.sign(signed));
  await call('verify', () => kms.verify({ ...signed, Signature }), (out) => same(out.SignatureValid, true));
  await fails('verify another message', 'KMSInvalidSignatureException', () => kms.verify({ ...signed, Message: bytes('another contract'), Signature }));
  await call('verify elsewhere', () => kms.getPublicKey({ KeyId: signer.KeyId }), (out) => {
    const key = createPublicKey({ key: Buffer.from(out.PublicKey), format: 'der', type: 'spki' });
    same(createVerify('sha256').update('a contract').verify(key, Buffer.from(Signature)), true);
  });
  await fails('encrypt by a key to sign', 'InvalidKeyUsageException', () => kms.encrypt({ KeyId: signer.KeyId, Plaintext: bytes('x') }));
  await call('MAC', async () => {
    const { KeyMetadata: k } = await kms.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const mac = { KeyId: k.KeyId, Message: bytes('m'), MacAlgorithm: 'HMAC_SHA_256' };
    const { Mac } = await kms.generateMac(mac);
    return kms.verifyMac({ ...mac, Mac });
  }, (out) => same(out.MacValid, true));

  await call('rotation', async () => {
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
    return kms.getKeyRotationStatus({ KeyId });
  }, (out) => same([out.KeyRotationEnabled, out.RotationPeriodInDays], [true, 90]));
  await fails('policy that is none', 'MalformedPolicyDocumentException', () => kms.putKeyPolicy({ KeyId, Policy: '{"Statement":[]' }));
  await fails('tag of AWS', 'TagException', () => kms.tagResource({ KeyId, Tags: [{ TagKey: 'aws:x', TagValue: '1' }] }));
  await call('schedule deletion', () => kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 }), (out) => same(out.KeyState, 'PendingDeletion'));
  await fails('encrypt by what goes', 'KMSInvalidStateException', () => kms.encrypt({ KeyId, Plaintext: bytes('x') }));
  await call('cancel deletion', () => kms.cancelKeyDeletion({ KeyId }), (out) => same(out.KeyId, Arn));
  await call('delete alias', () => kms.deleteAlias({ AliasName: 'alias/js' }));
  await fails('describe what is gone', 'NotFoundException', () => kms.describeKey({ KeyId: 'alias/js' }));
}
