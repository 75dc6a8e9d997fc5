package topic

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Tag is a word of the user's own on a topic.
type Tag struct {
	Key   string
	Value string
}

// tag puts tags on a topic, over those of the same key.
func (t *Topic) tag(tags []Tag) error {
	all := maps.Clone(t.Tags)
	if all == nil {
		all = map[string]string{}
	}
	for _, tag := range tags {
		if tag.Key == "" || len(tag.Key) > 128 || len(tag.Value) > 256 || strings.HasPrefix(strings.ToLower(tag.Key), "aws:") {
			return invalid("Invalid parameter: Tags Reason: a key has 1 to 128 bytes and does not begin with aws:, a value has at most 256")
		}
		all[tag.Key] = tag.Value
	}
	if len(all) > maxTags {
		return fault.Coded(fault.Invalid, "TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded: %d, at most %d", len(all), maxTags)
	}
	if len(all) > 0 {
		t.Tags = all
	}
	return nil
}

// TagResourceInput puts tags on a topic.
type TagResourceInput struct {
	ResourceArn string
	Tags        []Tag
}

// TagResourceOutput has no members.
type TagResourceOutput struct{}

// UntagResourceInput takes tags off a topic.
type UntagResourceInput struct {
	ResourceArn string
	TagKeys     []string
}

// UntagResourceOutput has no members.
type UntagResourceOutput struct{}

// ListTagsForResourceInput names a topic.
type ListTagsForResourceInput struct {
	ResourceArn string
}

// ListTagsForResourceOutput is a topic's tags by key.
type ListTagsForResourceOutput struct {
	Tags []Tag
}

// TagResource puts tags on a topic, over those of the same key.
func (t *Topics) TagResource(ctx context.Context, in TagResourceInput) (TagResourceOutput, error) {
	return TagResourceOutput{}, noResource(t.editTopic(ctx, in.ResourceArn, func(topic *Topic) error { return topic.tag(in.Tags) }))
}

// UntagResource takes tags off a topic; those that it does not have are off already.
func (t *Topics) UntagResource(ctx context.Context, in UntagResourceInput) (UntagResourceOutput, error) {
	return UntagResourceOutput{}, noResource(t.editTopic(ctx, in.ResourceArn, func(topic *Topic) error {
		topic.Tags = maps.Clone(topic.Tags)
		for _, key := range in.TagKeys {
			delete(topic.Tags, key)
		}
		return nil
	}))
}

// ListTagsForResource lists a topic's tags.
func (t *Topics) ListTagsForResource(_ context.Context, in ListTagsForResourceInput) (out ListTagsForResourceOutput, err error) {
	o, err := t.existing("ResourceArn", in.ResourceArn)
	if err != nil {
		return out, noResource(err)
	}
	for key, value := range o.Tags {
		out.Tags = append(out.Tags, Tag{key, value})
	}
	slices.SortFunc(out.Tags, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	return out, nil
}

// noResource has the name that calls about tags give to a topic's absence.
func noResource(err error) error {
	if fault.CodeOf(err) == "NotFound" {
		return fault.Coded(fault.NotFound, "ResourceNotFound", "Resource does not exist")
	}
	return err
}
