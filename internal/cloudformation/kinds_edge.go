package cloudformation

import (
	"cmp"
	"context"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/cloudfront"
	"github.com/dropstack/dropstack/internal/wire"
)

// found is what reading a resource of the edge came to.
func (p *plan) found(r Resource, f cloudfront.Findings) error {
	for _, idle := range f.Idle {
		p.warnings = append(p.warnings, Warning{r.ID, idle.Path + " has no effect: " + idle.Message})
	}
	return f.Err("ValidationError")
}

// stays is the id that a resource has, or else gets.
func (p *plan) stays(r Resource) string {
	return cmp.Or(r.Physical, arn.UUID(p.stack, r.Type, r.ID))
}

// lettered is likewise an id of one letter and 13 others.
func (p *plan) lettered(r Resource, letter string) string {
	return cmp.Or(r.Physical, letter+strings.ToUpper(arn.ID(13, p.stack, r.Type, r.ID)))
}

func identified(id string) Identity {
	return Identity{Physical: id, Attributes: map[string]string{"Id": id}}
}

// distribution is AWS::CloudFront::Distribution.
func distribution(_ context.Context, p *plan, r Resource) (Identity, error) {
	id := cmp.Or(r.Physical, arn.DistributionID(p.stack, r.ID))
	d, f := p.policies.Distribution(p.stack, id, r.Properties)
	if err := p.found(r, f); err != nil {
		return Identity{}, err
	}
	p.revision.Distributions = append(p.revision.Distributions, d)
	return Identity{Physical: id, Attributes: map[string]string{"Id": id, "DomainName": d.Domain, "Arn": arn.Distribution(id)}}, nil
}

// cachePolicy is AWS::CloudFront::CachePolicy.
func cachePolicy(_ context.Context, p *plan, r Resource) (Identity, error) {
	id := p.stays(r)
	return identified(id), p.found(r, p.policies.AddCache(id, r.Properties))
}

// originRequestPolicy is AWS::CloudFront::OriginRequestPolicy.
func originRequestPolicy(_ context.Context, p *plan, r Resource) (Identity, error) {
	id := p.stays(r)
	return identified(id), p.found(r, p.policies.AddForward(id, r.Properties))
}

// responseHeadersPolicy is AWS::CloudFront::ResponseHeadersPolicy.
func responseHeadersPolicy(_ context.Context, p *plan, r Resource) (Identity, error) {
	id := p.stays(r)
	return identified(id), p.found(r, p.policies.AddRespond(id, r.Properties))
}

// publicKey is AWS::CloudFront::PublicKey.
func publicKey(_ context.Context, p *plan, r Resource) (Identity, error) {
	id := p.lettered(r, "K")
	return identified(id), p.found(r, p.policies.AddKey(id, r.Properties))
}

// keyGroup is AWS::CloudFront::KeyGroup.
func keyGroup(_ context.Context, p *plan, r Resource) (Identity, error) {
	id := p.stays(r)
	return identified(id), p.found(r, p.policies.AddGroup(id, r.Properties))
}

// originAccessIdentity is AWS::CloudFront::CloudFrontOriginAccessIdentity: the edge
// may read buckets without one.
func originAccessIdentity(_ context.Context, p *plan, r Resource) (Identity, error) {
	id := p.lettered(r, "E")
	canonical := strings.ReplaceAll(arn.UUID(id, "user")+arn.UUID(id, "of S3"), "-", "")
	return Identity{Physical: id, Attributes: map[string]string{"Id": id, "S3CanonicalUserId": canonical}}, p.found(r, cloudfront.CheckAccess(r.Properties))
}

// originAccessControl is AWS::CloudFront::OriginAccessControl, likewise.
func originAccessControl(_ context.Context, p *plan, r Resource) (Identity, error) {
	return identified(p.lettered(r, "E")), p.found(r, cloudfront.CheckAccess(r.Properties))
}

// realtimeLogConfig is AWS::CloudFront::RealtimeLogConfig.
func realtimeLogConfig(_ context.Context, p *plan, r Resource) (Identity, error) {
	name, _ := wire.Plain(r.Properties["Name"])
	at := arn.ARN{Partition: "aws", Service: "cloudfront", Account: arn.Account, Resource: "realtime-log-config/" + name}.String()
	return Identity{Physical: at, Attributes: map[string]string{"Arn": at}}, p.found(r, cloudfront.CheckRealtimeLog(r.Properties))
}

// certificate is AWS::CertificateManager::Certificate: the platform gets certificates
// for the aliases of distributions itself.
func certificate(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("DomainName")
	in.known("SubjectAlternativeNames", "ValidationMethod", "DomainValidationOptions", "CertificateTransparencyLoggingPreference", "KeyAlgorithm", "Tags")
	in.idle("it comes from the authority that the platform asks for all", "CertificateAuthorityArn")
	in.refuse("the private key stays with the platform", "CertificateExport")
	at := cmp.Or(r.Physical, p.arn("acm", "certificate/"+arn.UUID(p.stack, r.Type, r.ID)))
	p.policies.AddCertificate(at)
	return Identity{Physical: at}, in.done(p)
}
