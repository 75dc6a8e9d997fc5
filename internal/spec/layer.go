package spec

import (
	"regexp"
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
)

// maxLayers is how many layers a function may have.
const maxLayers = 5

var layerVersion = regexp.MustCompile(`^layer:[a-zA-Z0-9_-]{1,140}:[1-9]\d*$`)

// layers reads the service's own layers. They come before the functions, which
// refer to them.
func (r *reader) layers(n *node) {
	if !r.is(n, object, "layers") {
		return
	}
	for _, f := range n.fields {
		v := r.vars.resolve(f.value)
		what := "layers." + f.key
		switch {
		case !functionName.MatchString(f.key):
			r.fail(f.pos, "layer %q: letters, digits, _ and - only", f.key)
		case r.is(v, object, what):
			r.layer(f.key, f.pos, v, what)
		}
	}
}

// LogicalID is what the Serverless Framework calls the layer in a template.
func (l *Layer) LogicalID() string { return logicalID(l.Key) + "LambdaLayer" }

func (r *reader) layer(key string, pos Pos, n *node, what string) {
	l := Layer{Pos: pos, PathPos: pos, Key: key, Name: key}
	r.object(n, what, keys{
		"path": func(v *node) { l.Path, l.PathPos = r.str(v, what+".path"), v.pos },
		"name": func(v *node) {
			if l.Name = r.str(v, what+".name"); !functionName.MatchString(l.Name) {
				r.fail(v.pos, "layer name %q: letters, digits, _ and - only", l.Name)
			}
		},
		"package": func(v *node) { l.Package = r.pack(v, what+".package") },
		"compatibleArchitectures": func(v *node) {
			if l.Architectures = r.strings(v, what+".compatibleArchitectures"); len(l.Architectures) > 0 && !slices.Contains(l.Architectures, r.vars.source.opts.machine()) {
				r.warn(v.pos, "layer %s is made for %s, but this machine is %s", key, l.Architectures[0], r.vars.source.opts.machine())
			}
		},
		"description": func(v *node) { l.Description = r.str(v, what+".description") },
		"licenseInfo": func(v *node) { l.License = r.str(v, what+".licenseInfo") },
		"compatibleRuntimes": func(v *node) {
			l.Runtimes = r.strings(v, what+".compatibleRuntimes")
		},
		"retain":          func(v *node) { l.Retain = r.boolean(v, what+".retain") },
		"allowedAccounts": nil, // there are no others
	}, effects{})
	if l.Path == "" && l.Package.Artifact == "" && n.get("path") == nil {
		r.fail(pos, "%s.path is missing: the directory whose contents functions see in /opt", what)
	}
	l.ARN = arn.ARN{Partition: "aws", Service: "lambda", Region: r.svc.Region, Account: arn.Account, Resource: "layer:" + l.Name + ":1"}.String()
	id := l.LogicalID()
	if _, twice := r.names[id]; twice {
		r.fail(pos, "layer %s would be called %s, which is there already", key, id)
	}
	r.names[id] = resource{l.Name, l.ARN, map[string]string{"LayerVersionArn": l.ARN}}
	r.svc.Layers = append(r.svc.Layers, l)
}

// useLayers reads the layers of a function, the first at the bottom.
func (r *reader) useLayers(n *node, what string) []string {
	used := []string{}
	r.each(n, what, func(item *node) {
		pos := item.pos
		target := r.value(item, what)
		if target == "" {
			return // reported
		}
		i := slices.IndexFunc(r.svc.Layers, func(l Layer) bool { return l.ARN == target })
		switch {
		case i >= 0 && slices.Contains(used, r.svc.Layers[i].Key):
			r.fail(pos, "%s names layer %s twice", what, r.svc.Layers[i].Key)
		case i >= 0:
			used = append(used, r.svc.Layers[i].Key)
		case slices.Contains(used, target):
			r.fail(pos, "%s names layer %s twice", what, target)
		case ownLayer(target):
			used = append(used, target) // of another stack, or made by calls of the AWS API
		case isLayerARN(target):
			r.fail(pos, "%s: the contents of %s are not on this machine; download its zip, declare it under layers with package.artifact, and refer to it as {Ref: NAMELambdaLayer}", what, target)
		default:
			r.fail(pos, "%s: %q is no layer of this service; declare it under layers and refer to it as {Ref: NAMELambdaLayer}", what, target)
		}
	})
	if len(used) > maxLayers {
		r.fail(n.pos, "%s names %d layers; the limit is %d", what, len(used), maxLayers)
	}
	return used
}

// ownLayer tells whether an ARN is that of a version of a layer of this account.
func ownLayer(s string) bool {
	a, err := arn.Parse(s)
	return err == nil && a.Service == "lambda" && a.Account == arn.Account && layerVersion.MatchString(a.Resource)
}

func isLayerARN(s string) bool {
	a, err := arn.Parse(s)
	return err == nil && a.Service == "lambda"
}
