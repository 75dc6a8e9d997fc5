package lambda

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

var layerName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,140}$`)

// PublishLayerVersionInput is a new version of a layer.
type PublishLayerVersionInput struct {
	LayerName               string
	Description             string `json:",omitempty"`
	Content                 Code
	CompatibleRuntimes      []string `json:",omitempty"`
	CompatibleArchitectures []string `json:",omitempty"`
	LicenseInfo             string   `json:",omitempty"`
}

// LayerVersion is a version of a layer; Content is where it can be fetched.
type LayerVersion struct {
	LayerArn                string        `json:",omitempty"`
	LayerVersionArn         string        `json:",omitempty"`
	Version                 int           `json:",omitempty"`
	Description             string        `json:",omitempty"`
	CreatedDate             string        `json:",omitempty"`
	CompatibleRuntimes      []string      `json:",omitempty"`
	CompatibleArchitectures []string      `json:",omitempty"`
	LicenseInfo             string        `json:",omitempty"`
	Content                 *LayerContent `json:",omitempty"`
}

// LayerContent is the files of a layer.
type LayerContent struct {
	Location   string `json:",omitempty"`
	CodeSha256 string
	CodeSize   int64
}

// PublishLayerVersion makes a version of a layer, with the next number: one that
// was given is never given again.
func (l *Functions) PublishLayerVersion(ctx context.Context, in PublishLayerVersionInput) (LayerVersion, error) {
	name := layerOf(in.LayerName)
	switch {
	case !layerName.MatchString(name):
		return LayerVersion{}, invalid("LayerName %q must be 1 to 140 letters, digits, - and _", in.LayerName)
	case len(in.CompatibleRuntimes) > 15 || len(in.Description) > 256:
		return LayerVersion{}, invalid("a layer has at most 15 CompatibleRuntimes and 256 bytes of Description")
	}
	code, err := l.store(ctx, in.Content, false)
	if err != nil {
		return LayerVersion{}, err
	}
	v := deploy.Layer{
		Name: name, Artifact: code.sha, Size: code.size, Description: in.Description, License: in.LicenseInfo,
		Runtimes: in.CompatibleRuntimes, Architectures: in.CompatibleArchitectures,
	}
	last := l.lastLayer(name)
	_, err = l.Deployer.Edit(context.WithoutCancel(ctx), deploy.APIStack, func(r *deploy.Revision) error {
		if r.LastLayers == nil {
			r.LastLayers = map[string]int{}
		}
		r.LastLayers[name] = max(last, r.LastLayers[name]) + 1
		v.Version, v.Created = r.LastLayers[name], time.Now().UTC()
		v.ARN = l.layerARN(name) + ":" + strconv.Itoa(v.Version)
		r.Layers = append(r.Layers, v)
		return nil
	})
	if err != nil {
		return LayerVersion{}, err
	}
	return l.describeLayer(ctx, v, true)
}

// lastLayer is the highest number that a layer's versions ever had, in any stack.
func (l *Functions) lastLayer(name string) (last int) {
	for _, r := range l.Deployer.List() {
		last = max(last, r.LastLayers[name])
	}
	return last
}

func (l *Functions) layerARN(name string) string {
	return arn.ARN{Partition: "aws", Service: "lambda", Region: l.Region, Account: arn.Account, Resource: "layer:" + name}.String()
}

// layerOf is the name in a layer's name or ARN.
func layerOf(s string) string {
	if i := strings.LastIndex(s, ":layer:"); i >= 0 {
		s, _, _ = strings.Cut(s[i+len(":layer:"):], ":")
	}
	return s
}

func (l *Functions) describeLayer(ctx context.Context, v deploy.Layer, content bool) (LayerVersion, error) {
	out := LayerVersion{
		LayerVersionArn: v.ARN, Version: v.Version, Description: v.Description, LicenseInfo: v.License,
		CreatedDate: v.Created.UTC().Format(lastModified), CompatibleRuntimes: v.Runtimes, CompatibleArchitectures: v.Architectures,
	}
	if !content {
		return out, nil
	}
	location, err := l.location(ctx, v.Artifact)
	out.LayerArn, out.Content = l.layerARN(v.Name), &LayerContent{location, base64Sum(v.Artifact), v.Size}
	return out, err
}

// layersOf are the versions of a layer, or of all, the newest first.
func (l *Functions) layersOf(name string) (list []deploy.Layer) {
	for _, r := range l.Deployer.List() {
		for _, v := range r.Layers {
			if name == "" || v.Name == name {
				list = append(list, v)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b deploy.Layer) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return b.Version - a.Version
	})
	return list
}

// layer finds a version of a layer by its ARN.
func (l *Functions) layer(arn string) (deploy.Layer, bool) {
	list := l.layersOf("")
	i := slices.IndexFunc(list, func(v deploy.Layer) bool { return v.ARN == arn })
	if i < 0 {
		return deploy.Layer{}, false
	}
	return list[i], true
}

// LayerInput names a layer and a version of it, or the version by its ARN.
type LayerInput struct {
	LayerName     string
	VersionNumber int
	Arn           string `json:",omitempty"`
}

// GetLayerVersion describes a version of a layer.
func (l *Functions) GetLayerVersion(ctx context.Context, in LayerInput) (LayerVersion, error) {
	name := l.layerARN(layerOf(in.LayerName)) + ":" + strconv.Itoa(in.VersionNumber)
	if in.Arn != "" {
		name = in.Arn
	}
	v, ok := l.layer(name)
	if !ok {
		return LayerVersion{}, notFound("The resource you requested does not exist: %s", name)
	}
	return l.describeLayer(ctx, v, true)
}

// DeleteLayerVersion removes a version of a layer. Functions that have it keep it,
// and one that is gone already is no error.
func (l *Functions) DeleteLayerVersion(ctx context.Context, in LayerInput) (struct{}, error) {
	name := layerOf(in.LayerName)
	_, err := l.Deployer.Edit(context.WithoutCancel(ctx), l.stackOf(name, in.VersionNumber), func(r *deploy.Revision) error {
		r.Layers = slices.DeleteFunc(r.Layers, func(v deploy.Layer) bool { return v.Name == name && v.Version == in.VersionNumber })
		return nil
	})
	return struct{}{}, err
}

// stackOf is the stack that a version of a layer is part of.
func (l *Functions) stackOf(name string, version int) string {
	for stack, r := range l.Deployer.List() {
		if slices.ContainsFunc(r.Layers, func(v deploy.Layer) bool { return v.Name == name && v.Version == version }) {
			return stack
		}
	}
	return deploy.APIStack
}

// LayersInput narrows and pages a list of layers.
type LayersInput struct {
	LayerName              string `json:",omitempty"`
	CompatibleRuntime      string `json:",omitempty"`
	CompatibleArchitecture string `json:",omitempty"`
	Marker                 string `json:",omitempty"`
	MaxItems               *int   `json:",omitempty"`
}

func (in *LayersInput) wants(v deploy.Layer) bool {
	return (in.CompatibleRuntime == "" || slices.Contains(v.Runtimes, in.CompatibleRuntime)) &&
		(in.CompatibleArchitecture == "" || slices.Contains(v.Architectures, in.CompatibleArchitecture))
}

// LayerVersionList is a page of a layer's versions.
type LayerVersionList struct {
	LayerVersions []LayerVersion
	NextMarker    string `json:",omitempty"`
}

// ListLayerVersions lists the versions of a layer, the newest first.
func (l *Functions) ListLayerVersions(ctx context.Context, in LayersInput) (LayerVersionList, error) {
	list := []LayerVersion{}
	for _, v := range l.layersOf(layerOf(in.LayerName)) {
		if in.wants(v) {
			described, err := l.describeLayer(ctx, v, false)
			if err != nil {
				return LayerVersionList{}, err
			}
			list = append(list, described)
		}
	}
	page, next, err := Page(list, in.Marker, in.MaxItems)
	return LayerVersionList{page, next}, err
}

// LayerList is a page of layers, each with its newest version.
type LayerList struct {
	Layers     []LayerItem
	NextMarker string `json:",omitempty"`
}

// LayerItem is a layer.
type LayerItem struct {
	LayerName, LayerArn   string
	LatestMatchingVersion LayerVersion
}

// ListLayers lists layers.
func (l *Functions) ListLayers(ctx context.Context, in LayersInput) (LayerList, error) {
	list := []LayerItem{}
	for _, v := range l.layersOf("") {
		if !in.wants(v) || len(list) > 0 && list[len(list)-1].LayerName == v.Name {
			continue
		}
		described, err := l.describeLayer(ctx, v, false)
		if err != nil {
			return LayerList{}, err
		}
		list = append(list, LayerItem{v.Name, l.layerARN(v.Name), described})
	}
	page, next, err := Page(list, in.Marker, in.MaxItems)
	return LayerList{page, next}, err
}

// pageItems is how long a page is unless the caller wants a shorter one.
const pageItems = 50

// Page is one page of a list, and where the next begins; a marker is the place of
// the next item.
func Page[T any](list []T, marker string, items *int) (page []T, next string, err error) {
	from, n := 0, pageItems
	if marker != "" {
		if from, err = strconv.Atoi(marker); err != nil || from < 0 {
			return nil, "", fault.Coded(fault.Invalid, "InvalidParameterValueException", "Marker %q is none of ours", marker)
		}
	}
	if items != nil {
		if n = *items; n < 1 || n > 10000 {
			return nil, "", fault.Coded(fault.Invalid, "InvalidParameterValueException", "MaxItems %d is not between 1 and 10000", n)
		}
	}
	from = min(from, len(list))
	to := min(from+min(n, pageItems), len(list))
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	return slices.Clip(list[from:to]), next, nil
}
