package cloudfront

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
)

// Distribution is a distribution as the API shows it.
type Distribution struct {
	XMLName            xml.Name `json:"-" xml:"Distribution"`
	ID                 string   `json:"id" xml:"Id"`
	ARN                string   `json:"arn"`
	Status             string   `json:"status"`
	LastModifiedTime   string   `json:"lastModifiedTime"`
	InProgress         int      `json:"inProgressInvalidationBatches" xml:"InProgressInvalidationBatches"`
	DomainName         string   `json:"domainName"`
	DistributionConfig Config   `json:"distributionConfig"`

	tag string
}

// ETag is of the configuration: another one, another tag.
func (d Distribution) ETag() string { return d.tag }

// Location is where it can be asked for.
func (d Distribution) Location() string {
	return "https://cloudfront.amazonaws.com/2020-05-31/distribution/" + d.ID
}

func (d deployed) describe() Distribution {
	out := Distribution{
		ID: d.ID, ARN: ARN(d.ID), Status: "Deployed", LastModifiedTime: stamp(d.revision.Created), DomainName: d.host(),
		DistributionConfig: d.config(),
	}
	out.tag = tag(out.DistributionConfig)
	return out
}

// host is a name that it answers to.
func (d deployed) host() string {
	if d.Domain == "" && len(d.Aliases) > 0 {
		return d.Aliases[0]
	}
	return d.Domain
}

func tag(c Config) string {
	doc, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return "E" + strings.ToUpper(arn.ID(13, string(doc)))
}

// IDInput names a distribution, and for changes the tag that it must have.
type IDInput struct {
	ID      string `json:"id"`
	IfMatch string `json:"ifMatch,omitempty"`
}

// GetDistribution shows a distribution.
func (d *Distributions) GetDistribution(_ context.Context, in IDInput) (Distribution, error) {
	found, err := d.find(in.ID)
	if err != nil {
		return Distribution{}, err
	}
	return found.describe(), nil
}

// DistributionConfig is a configuration alone.
type DistributionConfig struct {
	Config `json:"distributionConfig"`
	tag    string
}

// ETag is of the configuration.
func (c DistributionConfig) ETag() string { return c.tag }

// MarshalXML writes it as the document that it is.
func (c DistributionConfig) MarshalXML(enc *xml.Encoder, _ xml.StartElement) error {
	return c.Config.MarshalXML(enc, xml.StartElement{Name: xml.Name{Local: "DistributionConfig"}})
}

// GetDistributionConfig shows the configuration of a distribution.
func (d *Distributions) GetDistributionConfig(ctx context.Context, in IDInput) (DistributionConfig, error) {
	found, err := d.GetDistribution(ctx, in)
	return DistributionConfig{found.DistributionConfig, found.tag}, err
}

// DistributionList is a page of distributions, by their ids.
type DistributionList struct {
	XMLName     xml.Name  `json:"-" xml:"DistributionList"`
	Marker      string    `json:"marker"`
	NextMarker  string    `json:"nextMarker,omitempty" xml:",omitempty"`
	MaxItems    int       `json:"maxItems"`
	IsTruncated bool      `json:"isTruncated"`
	Quantity    int       `json:"quantity"`
	Items       []Summary `json:"items" xml:"Items>DistributionSummary"`
}

// Summary is a distribution in a list: what it is, and its configuration beside it.
type Summary struct{ Distribution }

// MarshalXML writes the members of the configuration beside the others.
func (s Summary) MarshalXML(enc *xml.Encoder, start xml.StartElement) error {
	c := Config{
		"Id": s.ID, "ARN": s.ARN, "Status": s.Status, "LastModifiedTime": s.LastModifiedTime, "DomainName": s.DomainName, "ETag": s.tag,
	}
	for name, value := range s.DistributionConfig {
		if name != "CallerReference" && name != "DefaultRootObject" && name != "Logging" {
			c[name] = value
		}
	}
	return c.MarshalXML(enc, start)
}

// ListDistributions lists all distributions.
func (d *Distributions) ListDistributions(_ context.Context, in ListInput) (DistributionList, error) {
	all := d.all()
	if in.Marker != "" {
		from := slices.IndexFunc(all, func(dist deployed) bool { return dist.ID > in.Marker })
		if from < 0 {
			from = len(all)
		}
		all = all[from:]
	}
	out := DistributionList{Marker: in.Marker, MaxItems: in.limit()}
	if len(all) > out.MaxItems {
		all, out.IsTruncated = all[:out.MaxItems], true
		out.NextMarker = all[out.MaxItems-1].ID
	}
	for _, dist := range all {
		out.Items = append(out.Items, Summary{dist.describe()})
	}
	out.Quantity = len(out.Items)
	return out, nil
}

// CreateDistributionInput makes a distribution.
type CreateDistributionInput struct {
	DistributionConfig Config `json:"distributionConfig"`
}

// Document is what the request's body is read into.
func (in *CreateDistributionInput) Document() any { return &in.DistributionConfig }

// CreateDistribution makes a distribution, which serves when this returns.
func (d *Distributions) CreateDistribution(ctx context.Context, in CreateDistributionInput) (Distribution, error) {
	reference := text(in.DistributionConfig["CallerReference"])
	if reference == "" {
		return Distribution{}, invalid("InvalidArgument", "The configuration has no CallerReference")
	}
	id := "E" + strings.ToUpper(arn.ID(13, deploy.APIStack, reference))
	next, err := d.translate(id, in.DistributionConfig)
	if err != nil {
		return Distribution{}, err
	}
	if err := d.mayPublish(ctx, next); err != nil {
		return Distribution{}, err
	}
	return d.edit(ctx, id, func(list []edge.Distribution, at int) ([]edge.Distribution, error) {
		if at >= 0 {
			return nil, fault.Coded(fault.Conflict, "DistributionAlreadyExists", "Caller reference %q has made distribution %s already; use another", reference, id)
		}
		return append(list, next), nil
	})
}

// UpdateDistributionInput changes a distribution.
type UpdateDistributionInput struct {
	ID                 string `json:"id"`
	IfMatch            string `json:"ifMatch"`
	DistributionConfig Config `json:"distributionConfig"`
}

// Document is what the request's body is read into.
func (in *UpdateDistributionInput) Document() any { return &in.DistributionConfig }

// UpdateDistribution changes a distribution that a call has made.
func (d *Distributions) UpdateDistribution(ctx context.Context, in UpdateDistributionInput) (Distribution, error) {
	if err := d.changeable(in.ID, in.IfMatch); err != nil {
		return Distribution{}, err
	}
	next, err := d.translate(in.ID, in.DistributionConfig)
	if err != nil {
		return Distribution{}, err
	}
	if err := d.mayPublish(ctx, next); err != nil {
		return Distribution{}, err
	}
	return d.edit(ctx, in.ID, func(list []edge.Distribution, at int) ([]edge.Distribution, error) {
		if at < 0 || tag(deployed{Distribution: list[at]}.config()) != in.IfMatch {
			return nil, stale(in.ID)
		}
		list[at] = next
		return list, nil
	})
}

// DeleteDistribution deletes a distribution that a call has made, and that is not
// enabled any more.
func (d *Distributions) DeleteDistribution(ctx context.Context, in IDInput) (struct{}, error) {
	if err := d.changeable(in.ID, in.IfMatch); err != nil {
		return struct{}{}, err
	}
	_, err := d.edit(ctx, in.ID, func(list []edge.Distribution, at int) ([]edge.Distribution, error) {
		switch {
		case at < 0 || tag(deployed{Distribution: list[at]}.config()) != in.IfMatch:
			return nil, stale(in.ID)
		case !list[at].Disabled:
			return nil, fault.Coded(fault.Conflict, "DistributionNotDisabled", "Distribution %s is enabled; disable it first", in.ID)
		}
		return slices.Delete(list, at, at+1), nil
	})
	return struct{}{}, err
}

// translate makes a distribution of the stack of calls of a configuration.
func (d *Distributions) translate(id string, c Config) (edge.Distribution, error) {
	next, err := d.Translate(id, c)
	if err != nil {
		return next, invalid("InvalidArgument", "%w", err)
	}
	next.Stack, next.Declared = deploy.APIStack, c
	return next, nil
}

// changeable says whether calls may change a distribution, and the caller has seen it
// as it is.
func (d *Distributions) changeable(id, match string) error {
	found, err := d.find(id)
	switch {
	case err != nil:
		return err
	case found.revision.Stack != deploy.APIStack:
		return fault.Coded(fault.Conflict, "IllegalUpdate", "Distribution %s is part of stack %s: change it there and deploy that again", id, found.revision.Stack)
	case match == "":
		return invalid("InvalidIfMatchVersion", "The request has no If-Match; get the distribution for its ETag")
	}
	return nil
}

func stale(id string) error {
	return fault.Coded(fault.Conflict, "PreconditionFailed", "Distribution %s has changed meanwhile, or is gone; get it again for its ETag", id)
}

// edit changes the distributions of the stack of calls; at is where the one with the
// id is, -1 if it is not there.
func (d *Distributions) edit(ctx context.Context, id string, change func(list []edge.Distribution, at int) ([]edge.Distribution, error)) (Distribution, error) {
	byID := func(dist edge.Distribution) bool { return dist.ID == id }
	revision, err := d.Deployer.Edit(ctx, deploy.APIStack, func(r *deploy.Revision) (err error) {
		r.Distributions, err = change(r.Distributions, slices.IndexFunc(r.Distributions, byID))
		return err
	})
	if err != nil {
		return Distribution{}, err
	}
	if at := slices.IndexFunc(revision.Distributions, byID); at >= 0 {
		return deployed{revision.Distributions[at], revision}.describe(), nil
	}
	return Distribution{}, nil
}

// config is the configuration that it was made of; of one that was declared in
// another form, what it would be.
func (d deployed) config() Config {
	if d.Declared != nil {
		return d.Declared
	}
	c := Config{
		"CallerReference": d.ID, "Comment": d.Comment, "Enabled": !d.Disabled, "DefaultRootObject": d.Root, "PriceClass": "PriceClass_All",
		"HttpVersion": "http2", "IPV6Enabled": true, "WebACLId": d.WebACL, "Aliases": list(d.Aliases), "Origins": d.origins(),
		"CustomErrorResponses": []any{}, "CacheBehaviors": []any{},
	}
	if d.Log != nil {
		c["Logging"] = map[string]any{"Enabled": true, "IncludeCookies": d.Log.Cookies, "Bucket": d.Log.Bucket, "Prefix": d.Log.Prefix}
	}
	for _, b := range d.Behaviours {
		if b.Path == "*" || b.Path == "/*" {
			c["DefaultCacheBehavior"] = behaviour(b)
			break
		}
		own := behaviour(b)
		own["PathPattern"] = b.Path
		c["CacheBehaviors"] = append(c["CacheBehaviors"].([]any), own)
	}
	for _, e := range d.Errors {
		c["CustomErrorResponses"] = append(c["CustomErrorResponses"].([]any), map[string]any{
			"ErrorCode": e.Status, "ResponsePagePath": e.Path, "ResponseCode": e.As, "ErrorCachingMinTTL": int(e.TTL.Seconds()),
		})
	}
	return c
}

// origins are its origins, and the stacks that its behaviours name.
func (d deployed) origins() []any {
	all := slices.Clone(d.Origins)
	for _, b := range d.Behaviours {
		if !slices.ContainsFunc(all, func(o edge.Origin) bool { return o.ID == b.Origin }) {
			all = append(all, edge.Origin{ID: b.Origin, Stack: b.Origin})
		}
	}
	var out []any
	for _, o := range all {
		origin := map[string]any{"Id": o.ID, "OriginPath": o.Path, "DomainName": o.Domain}
		switch {
		case o.Bucket != "":
			origin["DomainName"], origin["S3OriginConfig"] = o.Bucket+".s3.amazonaws.com", map[string]any{"OriginAccessIdentity": ""}
		case o.Stack != "":
			origin["DomainName"] = o.Stack + ".localhost"
		case o.API != "":
			origin["DomainName"] = o.API + ".execute-api.localhost"
		}
		if o.Bucket == "" {
			origin["CustomOriginConfig"] = map[string]any{
				"HTTPPort": cmp.Or(o.HTTPPort, 80), "HTTPSPort": cmp.Or(o.HTTPSPort, 443), "OriginProtocolPolicy": cmp.Or(o.Protocol, edge.HTTPSOnly),
			}
		}
		out = append(out, origin)
	}
	return out
}

func behaviour(b edge.Behaviour) map[string]any {
	out := map[string]any{
		"TargetOriginId": b.Origin, "ViewerProtocolPolicy": cmp.Or(b.Viewer, edge.AllowAll), "Compress": false,
		"AllowedMethods": list(b.Methods), "CachedMethods": list([]string{"GET", "HEAD"}), "MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 0,
	}
	if len(b.Methods) == 0 {
		out["AllowedMethods"] = list([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "DELETE"})
	}
	if c := b.Cache; c != nil {
		out["MinTTL"], out["DefaultTTL"], out["MaxTTL"] = int(c.MinTTL.Seconds()), int(c.DefaultTTL.Seconds()), int(c.MaxTTL.Seconds())
		out["Compress"] = len(c.Encodings) > 0
	}
	return out
}

func list(texts []string) []any {
	out := []any{}
	for _, t := range texts {
		out = append(out, t)
	}
	return out
}
