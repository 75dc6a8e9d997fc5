package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/wire"
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// s3Bucket is AWS::S3::Bucket. One that is there already and nobody's is taken over:
// buckets outlive their stacks.
func s3Bucket(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	given := in.text("BucketName")
	name := p.name(r, given, 63)
	if given == "" {
		name = strings.ToLower(name)
	}
	if !bucketName.MatchString(name) || strings.Contains(name, "..") {
		in.fail("BucketName", "%q must be 3 to 63 lower-case letters, digits, - and ., with a letter or digit at both ends", name)
	}
	for stack, rev := range p.platform.List() {
		if stack != p.stack && slices.Contains(rev.Buckets, name) {
			in.fail("BucketName", "%s already exists in stack %s", name, stack)
		}
	}
	in.notifications(p, name)
	settings := bucket.Settings{Bucket: name}
	in.bucketCORS(&settings)
	in.bucketRest()
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.Buckets = append(p.revision.Buckets, name)
	p.settle(settings)
	host := name + ".s3." + p.region + ".amazonaws.com"
	return Identity{Physical: name, Attributes: map[string]string{
		"Arn": arn.Bucket(name), "DomainName": name + ".s3.amazonaws.com", "RegionalDomainName": host,
		"DualStackDomainName": name + ".s3.dualstack." + p.region + ".amazonaws.com",
	}}, nil
}

// settle adds to the settings of a bucket.
func (p *plan) settle(s bucket.Settings) {
	list := &p.revision.BucketSettings
	i := slices.IndexFunc(*list, func(have bucket.Settings) bool { return have.Bucket == s.Bucket })
	switch {
	case i >= 0 && s.Policy != "":
		(*list)[i].Policy = s.Policy
	case i >= 0:
		(*list)[i].CORS = s.CORS
	case s.Policy != "" || len(s.CORS) > 0:
		*list = append(*list, s)
	}
}

// notifications reads which functions are told of what changes in a bucket.
func (p *properties) notifications(to *plan, name string) {
	in := p.object("NotificationConfiguration")
	in.refuse("a bucket's events go to functions here: write LambdaConfigurations", "TopicConfigurations", "QueueConfigurations", "EventBridgeConfiguration")
	for i, c := range in.each("LambdaConfigurations") {
		c.need("Event", "Function")
		n := bucket.Notification{Stack: to.stack, ID: fmt.Sprintf("%s-%d", name, i+1), Bucket: name, Event: c.text("Event"), Function: c.function("Function")}
		c.object("Filter").object("S3Key").rules("Rules", &n)
		c.eventType("Event", n.Event)
		to.revision.Notifications = append(to.revision.Notifications, n)
	}
}

func (p *properties) eventType(name, event string) {
	if event != "" && !slices.Contains(bucket.Events, event) {
		p.fail(name, "%q is none of %s", event, strings.Join(bucket.Events, ", "))
	}
}

// rules reads the prefix and the suffix that keys must have.
func (p *properties) rules(name string, n *bucket.Notification) {
	for _, rule := range p.each(name) {
		kind, value := rule.text("Name"), rule.text("Value")
		if kind == "" && value == "" { // the framework's own resource writes {prefix: x}
			n.Prefix, n.Suffix = n.Prefix+rule.text("Prefix"), n.Suffix+rule.text("Suffix")
			continue
		}
		switch strings.ToLower(kind) {
		case "prefix":
			n.Prefix = value
		case "suffix":
			n.Suffix = value
		default:
			rule.fail("Name", "%q is neither prefix nor suffix", kind)
		}
	}
}

func (p *properties) bucketCORS(s *bucket.Settings) {
	for _, rule := range p.object("CorsConfiguration").each("CorsRules") {
		rule.need("AllowedMethods", "AllowedOrigins")
		s.CORS = append(s.CORS, bucket.CORSRule{
			ID: rule.text("Id"), Methods: rule.texts("AllowedMethods"), Origins: rule.texts("AllowedOrigins"), Headers: rule.texts("AllowedHeaders"),
			Expose: rule.texts("ExposedHeaders"), MaxAge: rule.number("MaxAge", 0, 1<<31-1),
		})
	}
}

// bucketRest reads what buckets here have not, or have anyway.
func (p *properties) bucketRest() {
	for _, rule := range p.object("BucketEncryption").each("ServerSideEncryptionConfiguration") {
		by := rule.object("ServerSideEncryptionByDefault")
		if algorithm := by.text("SSEAlgorithm"); algorithm != "" && algorithm != "AES256" {
			p.without = append(p.without, by.path+"SSEAlgorithm "+algorithm+" has no effect: objects lie on the platform's disk as they are; encrypt the disk")
		}
		by.known("KMSMasterKeyID")
		rule.known("BucketKeyEnabled", "BlockedEncryptionTypes")
	}
	if p.object("VersioningConfiguration").choice("Status", "", "Enabled", "Suspended") == "Enabled" {
		p.fail("VersioningConfiguration", "it is not supported here: an object that is overwritten or deleted would be gone; remove it")
	}
	if acl := p.text("AccessControl"); strings.HasPrefix(acl, "Public") || acl == "AuthenticatedRead" {
		p.fail("AccessControl", "%s would let nobody in: there are no access lists; write an AWS::S3::BucketPolicy", acl)
	}
	p.refuse("nothing would serve it; use custom.dropstack.distributions of a serverless.yml", "WebsiteConfiguration")
	p.refuse("objects would be on this machine alone", "ReplicationConfiguration")
	p.refuse("objects could be deleted all the same", "ObjectLockEnabled", "ObjectLockConfiguration")
	p.idle("objects are kept until they are deleted", "LifecycleConfiguration", "IntelligentTieringConfigurations")
	p.idle("what is asked of buckets is in the audit trail", "LoggingConfiguration")
	p.idle("no reports are written", "AnalyticsConfigurations", "InventoryConfigurations", "MetricsConfigurations", "MetadataTableConfiguration", "MetadataConfiguration")
	p.known("AccelerateConfiguration", "OwnershipControls", "PublicAccessBlockConfiguration", "Tags", "AbacStatus") // what they ask for is so, or is no matter here
}

// s3BucketPolicy is AWS::S3::BucketPolicy. A statement that denies what does not
// come by TLS, as the Serverless Framework gives its bucket, is left out: the
// endpoint is a plain one, which is this machine's own.
func s3BucketPolicy(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("Bucket", "PolicyDocument")
	name, doc := in.text("Bucket"), in.document("PolicyDocument", policy.Resource)
	if !slices.Contains(p.revision.Buckets, name) && name != "" {
		in.fail("Bucket", "%s is none of this template's buckets; give it a policy with PutBucketPolicy", name)
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	rest, err := withoutTLS(doc)
	if err != nil {
		return Identity{}, err
	}
	if rest != "" {
		p.settle(bucket.Settings{Bucket: name, Policy: rest})
	}
	return Identity{Physical: name}, nil
}

// withoutTLS is a policy without the statements that insist on TLS; "" when nothing
// is left.
func withoutTLS(text string) (string, error) {
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return "", err
	}
	list, ok := doc["Statement"].([]any)
	if !ok {
		list = []any{doc["Statement"]}
	}
	list = slices.DeleteFunc(list, insistsOnTLS)
	if len(list) == 0 {
		return "", nil
	}
	doc["Statement"] = list
	return jsonOf(doc)
}

func insistsOnTLS(statement any) bool {
	s, _ := statement.(map[string]any)
	conditions, _ := s["Condition"].(map[string]any)
	flags, _ := conditions["Bool"].(map[string]any)
	if s["Effect"] != "Deny" || len(conditions) != 1 || len(flags) != 1 {
		return false
	}
	secure, ok := wire.Plain(flags["aws:SecureTransport"])
	return ok && secure == "false"
}
