package apigateway

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
)

// TagResourceInput gives something tags, beside those that it has.
type TagResourceInput struct {
	ResourceArn string            `json:"resourceArn,omitempty"`
	Tags        map[string]string `json:"tags"`
}

// TagResource adds tags.
func (a *APIs) TagResource(ctx context.Context, in TagResourceInput) (struct{}, error) {
	return struct{}{}, a.tag(ctx, in.ResourceArn, func(tags map[string]string) error {
		maps.Copy(tags, in.Tags)
		return checkTags(tags)
	})
}

// UntagResourceInput names tags.
type UntagResourceInput struct {
	ResourceArn string   `json:"resourceArn,omitempty"`
	TagKeys     []string `json:"tagKeys,omitempty"`
}

// UntagResource takes tags off.
func (a *APIs) UntagResource(ctx context.Context, in UntagResourceInput) (struct{}, error) {
	return struct{}{}, a.tag(ctx, in.ResourceArn, func(tags map[string]string) error {
		for _, name := range in.TagKeys {
			delete(tags, name)
		}
		return nil
	})
}

func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return invalid("%d tags: there can be 50", len(tags))
	}
	for name, value := range tags {
		if name == "" || len(name) > 128 || len(value) > 256 || strings.HasPrefix(name, "aws:") {
			return invalid("Invalid tag %q: names have 1 to 128 characters and do not begin with aws:, values at most 256", name)
		}
	}
	return nil
}

// TagsInput names what has tags.
type TagsInput struct {
	ResourceArn string `json:"resourceArn,omitempty"`
}

// Tags are something's tags.
type Tags struct {
	Tags map[string]string `json:"tags"`
}

// GetTags returns tags.
func (a *APIs) GetTags(ctx context.Context, in TagsInput) (out Tags, err error) {
	on, err := a.tagged(in.ResourceArn)
	if err != nil {
		return out, err
	}
	switch on.kind {
	case "stages":
		s, err := a.GetStage(ctx, StageInput{on.id, on.stage})
		return Tags{known(s.Tags)}, err
	case "apikeys":
		k, err := a.key(on.id)
		return Tags{known(k.Tags)}, err
	}
	d, err := a.find(gateway.REST, on.id)
	return Tags{known(d.Tags)}, err
}

func known(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}

// tagged is what an ARN names: a REST API, a stage of one, or a key.
type tagged struct {
	kind, id, stage string
}

func (a *APIs) tagged(name string) (tagged, error) {
	parsed, err := arn.Parse(name)
	parts := strings.Split(parsed.Resource, "/")
	if err == nil && parsed.Service == "apigateway" && parts[0] == "" {
		switch {
		case len(parts) == 3 && slices.Contains([]string{"restapis", "apikeys"}, parts[1]):
			return tagged{kind: parts[1], id: parts[2]}, nil
		case len(parts) == 5 && parts[1] == "restapis" && parts[3] == "stages":
			return tagged{kind: "stages", id: parts[2], stage: parts[4]}, nil
		}
	}
	return tagged{}, invalid("Invalid resource ARN %q: REST APIs, stages and API keys have tags here", name)
}

// tag changes tags in the revision that what has them is part of.
func (a *APIs) tag(ctx context.Context, name string, change func(map[string]string) error) error {
	on, err := a.tagged(name)
	if err != nil {
		return err
	}
	switch on.kind {
	case "stages":
		_, err := a.changeStage(ctx, StageInput{on.id, on.stage}, func(s *settings) error {
			s.Tags = known(s.Tags)
			return change(s.Tags)
		})
		return err
	case "apikeys":
		return a.changeKey(ctx, on.id, func(r *deploy.Revision, i int) error {
			r.APIKeys[i].Tags = known(r.APIKeys[i].Tags)
			return change(r.APIKeys[i].Tags)
		})
	}
	d, err := a.find(gateway.REST, on.id)
	if err != nil {
		return err
	}
	return a.edit(ctx, d.API.Stack, func(r *deploy.Revision) error {
		i := slices.IndexFunc(r.APIs, func(api gateway.API) bool { return api.ID == on.id })
		if i < 0 {
			return notFound("Invalid API identifier specified %s", on.id)
		}
		r.APIs[i].Tags = known(r.APIs[i].Tags)
		return change(r.APIs[i].Tags)
	})
}
