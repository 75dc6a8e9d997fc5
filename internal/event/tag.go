package event

import (
	"context"
	"maps"
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/deploy"
)

// Tag is a word about a rule or a bus.
type Tag struct{ Key, Value string }

func tagMap(tags []Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	m := map[string]string{}
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return invalid("%d tags; there are at most 50", len(tags))
	}
	for key, value := range tags {
		if n := len([]rune(key)); n < 1 || n > 128 || len([]rune(value)) > 256 {
			return invalid("tag %q: keys have 1 to 128 characters, values at most 256", key)
		}
	}
	return nil
}

// TagResourceInput gives a rule or a bus more tags, or others.
type TagResourceInput struct {
	ResourceARN string
	Tags        []Tag
}

// TagResource adds tags to a rule or a bus.
func (r *Rules) TagResource(ctx context.Context, in TagResourceInput) (struct{}, error) {
	return struct{}{}, r.tag(ctx, in.ResourceARN, func(tags map[string]string) { maps.Copy(tags, tagMap(in.Tags)) })
}

// UntagResourceInput names tags of a rule or a bus.
type UntagResourceInput struct {
	ResourceARN string
	TagKeys     []string
}

// UntagResource takes tags off a rule or a bus.
func (r *Rules) UntagResource(ctx context.Context, in UntagResourceInput) (struct{}, error) {
	return struct{}{}, r.tag(ctx, in.ResourceARN, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

func (r *Rules) tag(ctx context.Context, resource string, change func(map[string]string)) error {
	if name, ok := busOf(resource); ok {
		stack, _, known := r.bus(name)
		if !known {
			return noBus(name)
		}
		_, err := r.Deployer.Edit(context.WithoutCancel(ctx), stack, func(rev *deploy.Revision) (err error) {
			for i := range rev.Buses {
				if b := &rev.Buses[i]; b.Name == name && err == nil {
					b.Tags, err = retagged(b.Tags, change)
				}
			}
			return err
		})
		return err
	}
	onBus, name := nameOf(resource)
	return r.edit(ctx, name, onBus, existing(name, onBus, func(found *rule) (err error) {
		found.Tags, err = retagged(found.Tags, change)
		return err
	}))
}

// retagged is tags with a change, of its own.
func retagged(tags map[string]string, change func(map[string]string)) (map[string]string, error) {
	tags = maps.Clone(tags)
	if tags == nil {
		tags = map[string]string{}
	}
	if change(tags); len(tags) == 0 {
		return nil, nil
	}
	return tags, checkTags(tags)
}

// busOf is the name in the ARN of a bus.
func busOf(resource string) (name string, ok bool) {
	a, err := arn.Parse(resource)
	name = bus.Name(resource)
	return name, err == nil && name != resource && a.Service == "events"
}

// ListTagsInput names a rule or a bus.
type ListTagsInput struct{ ResourceARN string }

// ListTagsOutput is the tags.
type ListTagsOutput struct{ Tags []Tag }

// ListTagsForResource lists the tags of a rule or a bus, by key.
func (r *Rules) ListTagsForResource(_ context.Context, in ListTagsInput) (ListTagsOutput, error) {
	var tags map[string]string
	if name, ok := busOf(in.ResourceARN); ok {
		_, found, known := r.bus(name)
		if !known && name != bus.Default {
			return ListTagsOutput{}, noBus(name)
		}
		tags = found.Tags
	} else {
		onBus, name := nameOf(in.ResourceARN)
		found, err := r.existing(name, onBus)
		if err != nil {
			return ListTagsOutput{}, err
		}
		tags = found.Tags
	}
	return ListTagsOutput{tagList(tags)}, nil
}

// tagList is tags by key.
func tagList(tags map[string]string) []Tag {
	list := []Tag{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, Tag{key, tags[key]})
	}
	return list
}
