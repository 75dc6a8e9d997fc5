package kms_test

import (
	"fmt"
	"testing"

	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/kms/kmstest"
)

func TestErrorsAreThoseThatClientsKnow(t *testing.T) {
	w := newWorld(t)
	ctx := w.ctx
	id, other, off, doomed := w.key(t), w.key(t), w.key(t), w.key(t)
	blob := w.encrypt(t, id, "hello", nil)
	offBlob, doomedBlob := w.encrypt(t, off, "hello", nil), w.encrypt(t, doomed, "hello", nil)
	must[kms.None](t)(w.DisableKey(ctx, kms.KeyInput{KeyId: off}))
	must[kms.ScheduleKeyDeletionOutput](t)(w.ScheduleKeyDeletion(ctx, kms.ScheduleKeyDeletionInput{KeyId: doomed}))
	must[kms.None](t)(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/taken", TargetKeyId: id}))
	managed := must[kms.DescribeKeyOutput](t)(w.DescribeKey(ctx, kms.DescribeKeyInput{KeyId: "alias/aws/ssm"})).KeyMetadata.KeyId
	const missing = "11111111-2222-3333-4444-555555555555"
	nobody := t.Context()
	stranger := kmstest.As(t.Context(), kmstest.User("stranger"))
	grantee := kmstest.User("worker")
	ops := []string{"Encrypt"}

	for name, c := range map[string]struct{ got, want string }{
		"create: unknown spec":           {code(w.CreateKey(ctx, kms.CreateKeyInput{KeySpec: "SM2"})), "UnsupportedOperationException"},
		"create: unknown spec, old name": {code(w.CreateKey(ctx, kms.CreateKeyInput{CustomerMasterKeySpec: "SM2"})), "UnsupportedOperationException"},
		"create: usage of another spec":  {code(w.CreateKey(ctx, kms.CreateKeyInput{KeyUsage: "SIGN_VERIFY"})), "ValidationException"},
		"create: imported material":      {code(w.CreateKey(ctx, kms.CreateKeyInput{Origin: "EXTERNAL"})), "UnsupportedOperationException"},
		"create: several regions":        {code(w.CreateKey(ctx, kms.CreateKeyInput{MultiRegion: true})), "UnsupportedOperationException"},
		"create: key store":              {code(w.CreateKey(ctx, kms.CreateKeyInput{CustomKeyStoreId: "cks-1"})), "CustomKeyStoreNotFoundException"},
		"create: long description":       {code(w.CreateKey(ctx, kms.CreateKeyInput{Description: long(8193)})), "ValidationException"},
		"create: policy is no JSON":      {code(w.CreateKey(ctx, kms.CreateKeyInput{Policy: "{"})), "MalformedPolicyDocumentException"},
		"create: policy says nothing":    {code(w.CreateKey(ctx, kms.CreateKeyInput{Policy: "{}"})), "MalformedPolicyDocumentException"},
		"create: policy locks out":       {code(w.CreateKey(ctx, kms.CreateKeyInput{Policy: allowing(grantee, "kms:*")})), "MalformedPolicyDocumentException"},
		"create: long policy":            {code(w.CreateKey(ctx, kms.CreateKeyInput{Policy: `{"Statement":[]}` + long(32<<10)})), "LimitExceededException"},
		"create: reserved tag":           {code(w.CreateKey(ctx, kms.CreateKeyInput{Tags: []kms.Tag{{TagKey: "aws:x"}}})), "TagException"},
		"create: nobody":                 {code(w.CreateKey(nobody, kms.CreateKeyInput{})), "AccessDeniedException"},
		"describe: unknown id":           {code(w.DescribeKey(ctx, kms.DescribeKeyInput{KeyId: missing})), "NotFoundException"},
		"describe: no id":                {code(w.DescribeKey(ctx, kms.DescribeKeyInput{})), "ValidationException"},
		"describe: nonsense":             {code(w.DescribeKey(ctx, kms.DescribeKeyInput{KeyId: "nonsense"})), "NotFoundException"},
		"describe: unknown alias":        {code(w.DescribeKey(ctx, kms.DescribeKeyInput{KeyId: "alias/none"})), "NotFoundException"},
		"describe: unknown alias of AWS": {code(w.DescribeKey(ctx, kms.DescribeKeyInput{KeyId: "alias/aws/none"})), "NotFoundException"},
		"describe: ARN of another kind":  {code(w.DescribeKey(ctx, kms.DescribeKeyInput{KeyId: "arn:aws:sns:us-east-1:" + account + ":x"})), "InvalidArnException"},
		"describe: another region":       {code(w.DescribeKey(ctx, kms.DescribeKeyInput{KeyId: "arn:aws:kms:eu-west-1:" + account + ":key/" + id})), "NotFoundException"},
		"describe: stranger":             {code(w.DescribeKey(stranger, kms.DescribeKeyInput{KeyId: id})), "AccessDeniedException"},
		"describe: unknown token":        {code(w.DescribeKey(ctx, kms.DescribeKeyInput{KeyId: id, GrantTokens: []string{"x"}})), "InvalidGrantTokenException"},
		"list keys: limit":               {code(w.ListKeys(ctx, kms.ListKeysInput{Limit: ptr(1001)})), "ValidationException"},
		"list keys: marker":              {code(w.ListKeys(ctx, kms.ListKeysInput{Marker: "x"})), "InvalidMarkerException"},
		"list keys: stranger":            {code(w.ListKeys(stranger, kms.ListKeysInput{})), "AccessDeniedException"},

		"encrypt: nothing":           {code(w.Encrypt(ctx, kms.EncryptInput{KeyId: id})), "ValidationException"},
		"encrypt: too much":          {code(w.Encrypt(ctx, kms.EncryptInput{KeyId: id, Plaintext: make([]byte, 4097)})), "ValidationException"},
		"encrypt: another algorithm": {code(w.Encrypt(ctx, kms.EncryptInput{KeyId: id, Plaintext: []byte("x"), EncryptionAlgorithm: "RSAES_OAEP_SHA_1"})), "InvalidKeyUsageException"},
		"encrypt: disabled":          {code(w.Encrypt(ctx, kms.EncryptInput{KeyId: off, Plaintext: []byte("x")})), "DisabledException"},
		"encrypt: pending deletion":  {code(w.Encrypt(ctx, kms.EncryptInput{KeyId: doomed, Plaintext: []byte("x")})), "KMSInvalidStateException"},
		"encrypt: dry run":           {code(w.Encrypt(ctx, kms.EncryptInput{KeyId: id, Plaintext: []byte("x"), DryRun: true})), "DryRunOperationException"},
		"encrypt: dry run, disabled": {code(w.Encrypt(ctx, kms.EncryptInput{KeyId: off, Plaintext: []byte("x"), DryRun: true})), "DisabledException"},
		"encrypt: long context":      {code(w.Encrypt(ctx, kms.EncryptInput{KeyId: id, Plaintext: []byte("x"), EncryptionContext: map[string]string{"k": long(9000)}})), "ValidationException"},
		"encrypt: managed, not via":  {code(w.Encrypt(ctx, kms.EncryptInput{KeyId: managed, Plaintext: []byte("x")})), "AccessDeniedException"},
		"decrypt: nothing":           {code(w.Decrypt(ctx, kms.DecryptInput{})), "ValidationException"},
		"decrypt: nonsense":          {code(w.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: []byte("nonsense")})), "InvalidCiphertextException"},
		"decrypt: too much":          {code(w.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: make([]byte, 6145)})), "ValidationException"},
		"decrypt: another context":   {code(w.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: map[string]string{"a": "b"}})), "InvalidCiphertextException"},
		"decrypt: another key":       {code(w.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: blob, KeyId: other})), "IncorrectKeyException"},
		"decrypt: disabled":          {code(w.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: offBlob})), "DisabledException"},
		"decrypt: pending deletion":  {code(w.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: doomedBlob})), "KMSInvalidStateException"},
		"decrypt: dry run":           {code(w.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: blob, DryRun: true})), "DryRunOperationException"},
		"decrypt: another algorithm": {code(w.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: blob, EncryptionAlgorithm: "SM2PKE"})), "InvalidKeyUsageException"},
		"decrypt: enclave":           {code(w.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: blob, Recipient: map[string]any{}})), "UnsupportedOperationException"},
		"decrypt: stranger":          {code(w.Decrypt(stranger, kms.DecryptInput{CiphertextBlob: blob})), "AccessDeniedException"},
		"reencrypt: disabled":        {code(w.ReEncrypt(ctx, kms.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: off})), "DisabledException"},
		"reencrypt: wrong source":    {code(w.ReEncrypt(ctx, kms.ReEncryptInput{CiphertextBlob: blob, SourceKeyId: other, DestinationKeyId: other})), "IncorrectKeyException"},
		"reencrypt: unknown key":     {code(w.ReEncrypt(ctx, kms.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: missing})), "NotFoundException"},
		"reencrypt: another context": {code(w.ReEncrypt(ctx, kms.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: other, SourceEncryptionContext: map[string]string{"a": "b"}})), "InvalidCiphertextException"},
		"reencrypt: dry run":         {code(w.ReEncrypt(ctx, kms.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: other, DryRun: true})), "DryRunOperationException"},
		"data key: no size":          {code(w.GenerateDataKey(ctx, kms.GenerateDataKeyInput{KeyId: id})), "ValidationException"},
		"data key: two sizes":        {code(w.GenerateDataKey(ctx, kms.GenerateDataKeyInput{KeyId: id, KeySpec: "AES_256", NumberOfBytes: ptr(3)})), "ValidationException"},
		"data key: too long":         {code(w.GenerateDataKey(ctx, kms.GenerateDataKeyInput{KeyId: id, NumberOfBytes: ptr(1025)})), "ValidationException"},
		"data key: unknown spec":     {code(w.GenerateDataKey(ctx, kms.GenerateDataKeyInput{KeyId: id, KeySpec: "AES_512"})), "ValidationException"},
		"data key: disabled":         {code(w.GenerateDataKey(ctx, kms.GenerateDataKeyInput{KeyId: off, KeySpec: "AES_256"})), "DisabledException"},
		"data key: dry run":          {code(w.GenerateDataKeyWithoutPlaintext(ctx, kms.GenerateDataKeyWithoutPlaintextInput{KeyId: id, KeySpec: "AES_256", DryRun: true})), "DryRunOperationException"},
		"random: none":               {code(w.GenerateRandom(ctx, kms.GenerateRandomInput{})), "ValidationException"},
		"random: too many":           {code(w.GenerateRandom(ctx, kms.GenerateRandomInput{NumberOfBytes: ptr(1025)})), "ValidationException"},
		"random: key store":          {code(w.GenerateRandom(ctx, kms.GenerateRandomInput{NumberOfBytes: ptr(1), CustomKeyStoreId: "x"})), "CustomKeyStoreNotFoundException"},
		"random: stranger":           {code(w.GenerateRandom(stranger, kms.GenerateRandomInput{NumberOfBytes: ptr(1)})), "AccessDeniedException"},

		"create alias: taken":            {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/taken", TargetKeyId: id})), "AlreadyExistsException"},
		"create alias: of AWS":           {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/aws/mine", TargetKeyId: id})), "InvalidAliasNameException"},
		"create alias: no prefix":        {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "mine", TargetKeyId: id})), "InvalidAliasNameException"},
		"create alias: colon":            {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/a:b", TargetKeyId: id})), "InvalidAliasNameException"},
		"create alias: space":            {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/a b", TargetKeyId: id})), "ValidationException"},
		"create alias: long":             {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/" + long(251), TargetKeyId: id})), "ValidationException"},
		"create alias: to an alias":      {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/new", TargetKeyId: "alias/taken"})), "NotFoundException"},
		"create alias: unknown key":      {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/new", TargetKeyId: missing})), "NotFoundException"},
		"create alias: pending deletion": {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/new", TargetKeyId: doomed})), "KMSInvalidStateException"},
		"create alias: managed key":      {code(w.CreateAlias(ctx, kms.AliasInput{AliasName: "alias/new", TargetKeyId: managed})), "AccessDeniedException"},
		"update alias: unknown":          {code(w.UpdateAlias(ctx, kms.AliasInput{AliasName: "alias/none", TargetKeyId: id})), "NotFoundException"},
		"update alias: pending deletion": {code(w.UpdateAlias(ctx, kms.AliasInput{AliasName: "alias/taken", TargetKeyId: doomed})), "KMSInvalidStateException"},
		"delete alias: unknown":          {code(w.DeleteAlias(ctx, kms.DeleteAliasInput{AliasName: "alias/none"})), "NotFoundException"},
		"delete alias: of AWS":           {code(w.DeleteAlias(ctx, kms.DeleteAliasInput{AliasName: "alias/aws/ssm"})), "InvalidAliasNameException"},
		"list aliases: unknown key":      {code(w.ListAliases(ctx, kms.ListAliasesInput{KeyId: missing})), "NotFoundException"},
		"list aliases: limit":            {code(w.ListAliases(ctx, kms.ListAliasesInput{Limit: ptr(0)})), "ValidationException"},

		"enable: pending deletion":         {code(w.EnableKey(ctx, kms.KeyInput{KeyId: doomed})), "KMSInvalidStateException"},
		"enable: by alias":                 {code(w.EnableKey(ctx, kms.KeyInput{KeyId: "alias/taken"})), "NotFoundException"},
		"enable: by the ARN of an alias":   {code(w.EnableKey(ctx, kms.KeyInput{KeyId: "arn:aws:kms:us-east-1:" + account + ":alias/taken"})), "InvalidArnException"},
		"disable: pending deletion":        {code(w.DisableKey(ctx, kms.KeyInput{KeyId: doomed})), "KMSInvalidStateException"},
		"disable: managed":                 {code(w.DisableKey(ctx, kms.KeyInput{KeyId: managed})), "AccessDeniedException"},
		"describe it: pending deletion":    {code(w.UpdateKeyDescription(ctx, kms.UpdateKeyDescriptionInput{KeyId: doomed, Description: "x"})), "KMSInvalidStateException"},
		"describe it: long":                {code(w.UpdateKeyDescription(ctx, kms.UpdateKeyDescriptionInput{KeyId: id, Description: long(8193)})), "ValidationException"},
		"rotation: period too short":       {code(w.EnableKeyRotation(ctx, kms.EnableKeyRotationInput{KeyId: id, RotationPeriodInDays: ptr(89)})), "ValidationException"},
		"rotation: period too long":        {code(w.EnableKeyRotation(ctx, kms.EnableKeyRotationInput{KeyId: id, RotationPeriodInDays: ptr(2561)})), "ValidationException"},
		"rotation: disabled":               {code(w.EnableKeyRotation(ctx, kms.EnableKeyRotationInput{KeyId: off})), "DisabledException"},
		"rotation: pending deletion":       {code(w.DisableKeyRotation(ctx, kms.KeyInput{KeyId: doomed})), "KMSInvalidStateException"},
		"rotation: managed":                {code(w.DisableKeyRotation(ctx, kms.KeyInput{KeyId: managed})), "AccessDeniedException"},
		"rotation status: unknown":         {code(w.GetKeyRotationStatus(ctx, kms.KeyInput{KeyId: missing})), "NotFoundException"},
		"rotation now: disabled":           {code(w.RotateKeyOnDemand(ctx, kms.KeyInput{KeyId: off})), "DisabledException"},
		"rotation now: pending deletion":   {code(w.RotateKeyOnDemand(ctx, kms.KeyInput{KeyId: doomed})), "KMSInvalidStateException"},
		"rotations: marker":                {code(w.ListKeyRotations(ctx, kms.ListKeyRotationsInput{KeyId: id, Marker: "?"})), "InvalidMarkerException"},
		"deletion: window too short":       {code(w.ScheduleKeyDeletion(ctx, kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: ptr(6)})), "ValidationException"},
		"deletion: window too long":        {code(w.ScheduleKeyDeletion(ctx, kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: ptr(31)})), "ValidationException"},
		"deletion: twice":                  {code(w.ScheduleKeyDeletion(ctx, kms.ScheduleKeyDeletionInput{KeyId: doomed})), "KMSInvalidStateException"},
		"deletion: managed":                {code(w.ScheduleKeyDeletion(ctx, kms.ScheduleKeyDeletionInput{KeyId: managed})), "AccessDeniedException"},
		"cancel deletion: nothing pending": {code(w.CancelKeyDeletion(ctx, kms.KeyInput{KeyId: id})), "KMSInvalidStateException"},

		"policy: another name":                   {code(w.GetKeyPolicy(ctx, kms.GetKeyPolicyInput{KeyId: id, PolicyName: "mine"})), "NotFoundException"},
		"put policy: another name":               {code(w.PutKeyPolicy(ctx, kms.PutKeyPolicyInput{KeyId: id, PolicyName: "mine", Policy: allowing("*", "kms:*")})), "ValidationException"},
		"put policy: no JSON":                    {code(w.PutKeyPolicy(ctx, kms.PutKeyPolicyInput{KeyId: id, Policy: "x"})), "MalformedPolicyDocumentException"},
		"put policy: what the authority refuses": {code(w.PutKeyPolicy(ctx, kms.PutKeyPolicyInput{KeyId: id, Policy: `{"Statement":[{"Effect":"Perhaps","Action":"kms:*"}]}`})), "MalformedPolicyDocumentException"},
		"put policy: locks out":                  {code(w.PutKeyPolicy(ctx, kms.PutKeyPolicyInput{KeyId: id, Policy: allowing(grantee, "kms:*")})), "MalformedPolicyDocumentException"},
		"put policy: long":                       {code(w.PutKeyPolicy(ctx, kms.PutKeyPolicyInput{KeyId: id, Policy: long(32<<10 + 1)})), "LimitExceededException"},
		"put policy: managed":                    {code(w.PutKeyPolicy(ctx, kms.PutKeyPolicyInput{KeyId: managed, Policy: allowing("*", "kms:*")})), "AccessDeniedException"},
		"list policies: unknown":                 {code(w.ListKeyPolicies(ctx, kms.ListKeyPoliciesInput{KeyId: missing})), "NotFoundException"},

		"grant: no operation":        {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: grantee})), "ValidationException"},
		"grant: unknown operation":   {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: grantee, Operations: []string{"Sign"}})), "ValidationException"},
		"grant: grantee is no ARN":   {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: "worker", Operations: ops})), "InvalidArnException"},
		"grant: no grantee":          {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, Operations: ops})), "InvalidArnException"},
		"grant: retiring is no ARN":  {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: grantee, RetiringPrincipal: "x", Operations: ops})), "InvalidArnException"},
		"grant: to a service":        {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteeServicePrincipal: "x", Operations: ops})), "UnsupportedOperationException"},
		"grant: two constraints":     {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: grantee, Operations: ops, Constraints: &kms.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "b"}, EncryptionContextSubset: map[string]string{"a": "b"}}})), "ValidationException"},
		"grant: source":              {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: grantee, Operations: ops, Constraints: &kms.GrantConstraints{SourceArn: "x"}})), "UnsupportedOperationException"},
		"grant: many pairs":          {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: grantee, Operations: ops, Constraints: &kms.GrantConstraints{EncryptionContextEquals: pairs(9)}})), "ValidationException"},
		"grant: long name":           {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: grantee, Operations: ops, Name: long(257)})), "ValidationException"},
		"grant: disabled":            {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: off, GranteePrincipal: grantee, Operations: ops})), "DisabledException"},
		"grant: pending deletion":    {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: doomed, GranteePrincipal: grantee, Operations: ops})), "KMSInvalidStateException"},
		"grant: dry run":             {code(w.CreateGrant(ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: grantee, Operations: ops, DryRun: true})), "DryRunOperationException"},
		"list grants: unknown grant": {code(w.ListGrants(ctx, kms.ListGrantsInput{KeyId: id, GrantId: "x"})), "NotFoundException"},
		"revoke: unknown grant":      {code(w.RevokeGrant(ctx, kms.RevokeGrantInput{KeyId: id, GrantId: "x"})), "NotFoundException"},
		"retire: nothing named":      {code(w.RetireGrant(ctx, kms.RetireGrantInput{})), "ValidationException"},
		"retire: named twice":        {code(w.RetireGrant(ctx, kms.RetireGrantInput{GrantToken: "x", KeyId: id, GrantId: "x"})), "ValidationException"},
		"retire: unknown token":      {code(w.RetireGrant(ctx, kms.RetireGrantInput{GrantToken: "x"})), "InvalidGrantTokenException"},
		"retire: unknown grant":      {code(w.RetireGrant(ctx, kms.RetireGrantInput{KeyId: id, GrantId: "x"})), "NotFoundException"},

		"tag: no name":           {code(w.TagResource(ctx, kms.TagResourceInput{KeyId: id, Tags: []kms.Tag{{TagValue: "x"}}})), "TagException"},
		"tag: long name":         {code(w.TagResource(ctx, kms.TagResourceInput{KeyId: id, Tags: []kms.Tag{{TagKey: long(129)}}})), "TagException"},
		"tag: long value":        {code(w.TagResource(ctx, kms.TagResourceInput{KeyId: id, Tags: []kms.Tag{{TagKey: "a", TagValue: long(257)}}})), "TagException"},
		"tag: twice":             {code(w.TagResource(ctx, kms.TagResourceInput{KeyId: id, Tags: []kms.Tag{{TagKey: "a"}, {TagKey: "a"}}})), "TagException"},
		"tag: too many":          {code(w.TagResource(ctx, kms.TagResourceInput{KeyId: id, Tags: many(51)})), "LimitExceededException"},
		"tag: pending deletion":  {code(w.TagResource(ctx, kms.TagResourceInput{KeyId: doomed, Tags: many(1)})), "KMSInvalidStateException"},
		"untag: managed":         {code(w.UntagResource(ctx, kms.UntagResourceInput{KeyId: managed, TagKeys: []string{"a"}})), "AccessDeniedException"},
		"list tags: unknown key": {code(w.ListResourceTags(ctx, kms.ListResourceTagsInput{KeyId: missing})), "NotFoundException"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", name, c.got, c.want)
		}
	}
}

// allowing is a key policy that lets a principal do some actions.
func allowing(principal, action string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":%q,"Resource":"*"}]}`, principal, action)
}

func pairs(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprint(i)] = "x"
	}
	return m
}

func many(n int) []kms.Tag {
	var tags []kms.Tag
	for i := range n {
		tags = append(tags, kms.Tag{TagKey: fmt.Sprint(i), TagValue: "x"})
	}
	return tags
}
