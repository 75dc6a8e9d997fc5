package policy

import "strings"

// Keys are the condition values of one request.
type Keys interface {
	// Values returns the values of a key, which is given in lower case; none when
	// the request has no such key.
	Values(key string) []string
}

// Map is Keys by name; the names must be in lower case.
type Map map[string][]string

// Values returns the values of a key.
func (m Map) Values(key string) []string { return m[key] }

// known is a condition key that this platform gives values to.
type known struct {
	name string
	many bool // may have several values
}

// keys are the condition keys, by name in lower case. A key that ends in "/" or
// ":" stands for all that begin with it. A policy that uses another is refused,
// since nothing would ever give that key a value.
var keys = index(
	known{name: "aws:CurrentTime"},
	known{name: "aws:EpochTime"},
	known{name: "aws:PrincipalAccount"},
	known{name: "aws:PrincipalArn"},
	known{name: "aws:PrincipalIsAWSService"},
	known{name: "aws:PrincipalServiceName"},
	known{name: "aws:PrincipalTag/"},
	known{name: "aws:PrincipalType"},
	known{name: "aws:Referer"},
	known{name: "aws:RequestTag/"},
	known{name: "aws:RequestedRegion"},
	known{name: "aws:ResourceAccount"},
	known{name: "aws:ResourceTag/"},
	known{name: "aws:SecureTransport"},
	known{name: "aws:SourceAccount"},
	known{name: "aws:SourceOwner"}, // of topics' policies; no request has it
	known{name: "aws:SourceArn"},
	known{name: "aws:SourceIp"},
	known{name: "aws:TagKeys", many: true},
	known{name: "aws:TokenIssueTime"},
	known{name: "aws:UserAgent"},
	known{name: "aws:ViaAWSService"},
	known{name: "aws:userid"},
	known{name: "aws:username"},
	known{name: "iam:PassedToService"},
	known{name: "iam:PolicyARN"},
	known{name: "kms:CallerAccount"},
	known{name: "kms:EncryptionAlgorithm"},
	known{name: "kms:EncryptionContext:"},
	known{name: "kms:EncryptionContextKeys", many: true},
	known{name: "kms:GrantOperations", many: true},
	known{name: "kms:GranteePrincipal"},
	known{name: "kms:KeyOrigin"},
	known{name: "kms:KeySpec"},
	known{name: "kms:KeyUsage"},
	known{name: "kms:RequestAlias"},
	known{name: "kms:ResourceAliases", many: true},
	known{name: "kms:ScheduleKeyDeletionPendingWindowInDays"},
	known{name: "kms:ViaService"},
	known{name: "lambda:FunctionArn"},
	known{name: "lambda:FunctionUrlAuthType"},
	known{name: "lambda:SourceFunctionArn"},
	known{name: "s3:delimiter"},
	known{name: "s3:max-keys"},
	known{name: "s3:prefix"},
	known{name: "s3:x-amz-acl"},
	known{name: "sns:Endpoint"},
	known{name: "sns:Protocol"},
	known{name: "ssm:Overwrite"},
	known{name: "ssm:Recursive"},
	known{name: "ssm:resourceTag/"},
	known{name: "sts:ExternalId"},
	known{name: "sts:RoleSessionName"},
)

func index(list ...known) map[string]known {
	m := map[string]known{}
	for _, k := range list {
		m[strings.ToLower(k.name)] = k
	}
	return m
}

// lookup finds a key by its name in lower case.
func lookup(name string) (known, bool) {
	if k, ok := keys[name]; ok {
		return k, !strings.HasSuffix(name, "/") && !strings.HasSuffix(name, ":")
	}
	if i := strings.IndexByte(name, '/'); i >= 0 && i+1 < len(name) {
		k, ok := keys[name[:i+1]]
		return k, ok
	}
	const context = "kms:encryptioncontext:"
	if strings.HasPrefix(name, context) {
		return keys[context], len(name) > len(context)
	}
	return known{}, false
}

func isKey(name string) bool {
	_, ok := lookup(name)
	return ok
}
