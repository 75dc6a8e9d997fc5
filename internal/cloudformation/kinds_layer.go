package cloudformation

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
)

var layerName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,140}$`)

// lambdaLayer is AWS::Lambda::LayerVersion. A version that has changed gets the next
// number of its layer, and the one before goes, unless it is retained.
func lambdaLayer(ctx context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("Content")
	content, err := in.object("Content").stored(ctx, p)
	if err != nil {
		return Identity{}, err
	}
	l := deploy.Layer{
		Name: in.text("LayerName"), Artifact: content.sha, Size: content.size,
		Description: in.text("Description"), License: in.text("LicenseInfo"),
		Runtimes: in.texts("CompatibleRuntimes"), Architectures: in.texts("CompatibleArchitectures"),
	}
	if l.Name == "" {
		l.Name = p.stack + "-" + r.ID // a random one would be another layer each time
	}
	if !layerName.MatchString(l.Name) {
		in.fail("LayerName", "%q must be 1 to 140 letters, digits, - and _", l.Name)
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	before, known := p.layer(r.Physical)
	if known && r.Physical != "" && sameLayer(before, l) {
		l = before
	} else {
		l.Version, l.Created = p.lastLayer(l.Name)+1, time.Now().UTC()
		l.ARN = p.arn("lambda", "layer:"+l.Name+":"+strconv.Itoa(l.Version))
		if known && r.Retain && r.Physical != "" {
			p.revision.Layers = append(p.revision.Layers, before)
		}
	}
	p.revision.Layers = append(p.revision.Layers, l)
	if p.revision.LastLayers == nil {
		p.revision.LastLayers = map[string]int{}
	}
	p.revision.LastLayers[l.Name] = max(l.Version, p.lastLayer(l.Name))
	return Identity{Physical: l.ARN, Attributes: map[string]string{"LayerVersionArn": l.ARN}}, nil
}

// sameLayer tells whether a version says what another does.
func sameLayer(a, b deploy.Layer) bool {
	return a.Name == b.Name && a.Artifact == b.Artifact && a.Description == b.Description && a.License == b.License &&
		slices.Equal(a.Runtimes, b.Runtimes) && slices.Equal(a.Architectures, b.Architectures)
}

// layer finds a version of a layer by its ARN: of the template, else of any stack.
func (p *plan) layer(name string) (deploy.Layer, bool) {
	revisions := []*deploy.Revision{p.revision}
	for _, rev := range p.platform.List() {
		revisions = append(revisions, rev)
	}
	for _, rev := range revisions {
		if i := slices.IndexFunc(rev.Layers, func(l deploy.Layer) bool { return l.ARN == name }); i >= 0 {
			return rev.Layers[i], true
		}
	}
	return deploy.Layer{}, false
}

// lastLayer is the highest number that a layer's versions ever had, in any stack.
func (p *plan) lastLayer(name string) (last int) {
	for _, rev := range p.platform.List() {
		last = max(last, rev.LastLayers[name])
	}
	return max(last, p.revision.LastLayers[name])
}

// lambdaLayerPermission is AWS::Lambda::LayerVersionPermission: there are no other
// accounts that could use a layer.
func lambdaLayerPermission(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("Action", "LayerVersionArn", "Principal")
	in.known("Action", "Principal", "OrganizationId")
	if name := in.text("LayerVersionArn"); name != "" {
		if a, err := arn.Parse(name); err != nil || a.Service != "lambda" {
			in.fail("LayerVersionArn", "%q is not the ARN of a layer's version", name)
		}
	}
	return Identity{Physical: p.name(r, "", 100)}, in.done(p)
}
