package deploy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/spec"
)

// addLayers gives the revision the layers of a service. They have no number yet:
// it is given when the revision is deployed.
func (r *Revision) addLayers(svc *spec.Service, artifacts map[string]string) error {
	for _, l := range svc.Layers {
		if artifacts[l.Key] == "" {
			return fmt.Errorf("layer %q has no artifact", l.Key)
		}
		r.Layers = append(r.Layers, Layer{
			Name: l.Name, ARN: l.ARN, Artifact: artifacts[l.Key], Description: l.Description, License: l.License,
			Runtimes: l.Runtimes, Architectures: l.Architectures, Retain: l.Retain,
		})
	}
	return nil
}

// useLayers gives a function its layers: the service's own, and by ARN alone those
// that are somebody else's, whose contents are found when the revision is deployed.
func useLayers(svc *spec.Service, f spec.Function, artifacts map[string]string, fn *function.Function) {
	for _, key := range f.Layers {
		name, sha := key, ""
		if i := slices.IndexFunc(svc.Layers, func(l spec.Layer) bool { return l.Key == key }); i >= 0 {
			name, sha = svc.Layers[i].ARN, artifacts[key]
		}
		fn.Layers, fn.LayerARNs = append(fn.Layers, sha), append(fn.LayerARNs, name)
	}
}

// resolveLayers returns r with the contents of layers that other stacks have, or
// that calls of the AWS API have published, and with numbers for its own: the one
// that a layer has in old, unless it has changed, else the next.
func (d *Deployer) resolveLayers(r, old *Revision) (*Revision, error) {
	next := *r
	next.Functions, next.Layers, next.Outputs = slices.Clone(r.Functions), slices.Clone(r.Layers), slices.Clone(r.Outputs)
	renamed := d.numberLayers(&next, old)
	for i := range next.Functions {
		f := &next.Functions[i]
		f.Layers, f.LayerARNs = slices.Clone(f.Layers), slices.Clone(f.LayerARNs)
		for k, sha := range f.Layers {
			if k >= len(f.LayerARNs) {
				break
			}
			if sha != "" {
				if name, ok := renamed[f.LayerARNs[k]]; ok {
					f.LayerARNs[k] = name
				}
				continue
			}
			l, ok := d.layer(f.LayerARNs[k])
			if !ok {
				return nil, fault.Errorf(fault.Invalid, "function %s: there is no layer %s; deploy the service that has it first, or publish it", f.Name, f.LayerARNs[k])
			}
			f.Layers[k] = l.Artifact
		}
	}
	for i, o := range next.Outputs {
		if name, ok := renamed[o.Value]; ok {
			next.Outputs[i].Value = name
		}
	}
	return &next, nil
}

// numberLayers gives layers without a number theirs, and says what has become of
// their names.
func (d *Deployer) numberLayers(next, old *Revision) map[string]string {
	renamed := map[string]string{}
	if old == nil {
		old = &Revision{}
	}
	last := map[string]int{}
	for name, n := range next.LastLayers {
		last[name] = n
	}
	var before []Layer
	for i := range next.Layers {
		l := &next.Layers[i]
		if l.Version != 0 {
			continue
		}
		name, retain := l.ARN, l.Retain
		if k := slices.IndexFunc(old.Layers, l.is); k >= 0 {
			*l = old.Layers[k]
			l.Retain = retain
		} else {
			l.Version, l.Created = d.lastLayer(l.Name)+1, time.Now().UTC()
			l.ARN = name[:strings.LastIndexByte(name, ':')+1] + strconv.Itoa(l.Version)
		}
		last[l.Name] = max(l.Version, old.LastLayers[l.Name])
		renamed[name] = l.ARN
		for _, o := range old.Layers {
			if o.Name == l.Name && o.Version != l.Version && o.Retain {
				before = append(before, o)
			}
		}
	}
	next.Layers = append(next.Layers, before...)
	if len(last) > 0 {
		next.LastLayers = last
	}
	return renamed
}

// is tells whether a version of a layer says what another does.
func (l *Layer) is(o Layer) bool {
	return l.Name == o.Name && l.Artifact == o.Artifact && l.Description == o.Description && l.License == o.License &&
		slices.Equal(l.Runtimes, o.Runtimes) && slices.Equal(l.Architectures, o.Architectures)
}

// layer finds a version of a layer by its ARN.
func (d *Deployer) layer(name string) (Layer, bool) {
	for _, r := range d.List() {
		if i := slices.IndexFunc(r.Layers, func(l Layer) bool { return l.ARN == name }); i >= 0 {
			return r.Layers[i], true
		}
	}
	return Layer{}, false
}

// lastLayer is the highest number that versions of a layer ever had, in any stack.
func (d *Deployer) lastLayer(name string) (last int) {
	for _, r := range d.List() {
		last = max(last, r.LastLayers[name])
	}
	return last
}
