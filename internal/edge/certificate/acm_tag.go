package certificate

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/dropstack/dropstack/internal/secret/store"
)

// Tag is a word about a certificate.
type Tag struct {
	Key   string
	Value *string `json:",omitempty"`
}

// TagsInput names tags of a certificate. Where they are taken off, a Value that is
// given must be the tag's.
type TagsInput struct {
	CertificateArn string
	Tags           []Tag
}

// TagsOutput is the tags of a certificate.
type TagsOutput struct{ Tags []Tag }

// AddTagsToCertificate gives a certificate more tags, or others.
func (a ACM) AddTagsToCertificate(ctx context.Context, in TagsInput) (struct{}, error) {
	return struct{}{}, a.tag(ctx, in.CertificateArn, func(tags map[string]string) error {
		if err := checkTags(in.Tags, tags); err != nil {
			return err
		}
		maps.Copy(tags, tagMap(in.Tags))
		return nil
	})
}

// RemoveTagsFromCertificate takes tags off a certificate.
func (a ACM) RemoveTagsFromCertificate(ctx context.Context, in TagsInput) (struct{}, error) {
	return struct{}{}, a.tag(ctx, in.CertificateArn, func(tags map[string]string) error {
		for _, t := range in.Tags {
			if value, there := tags[t.Key]; there && (t.Value == nil || *t.Value == value) {
				delete(tags, t.Key)
			}
		}
		return nil
	})
}

// ListTagsForCertificate lists the tags of a certificate.
func (a ACM) ListTagsForCertificate(_ context.Context, in CertificateInput) (TagsOutput, error) {
	o, err := a.at(in.CertificateArn)
	if err != nil {
		return TagsOutput{}, err
	}
	out := TagsOutput{[]Tag{}}
	for _, key := range slices.Sorted(maps.Keys(o.tags)) {
		value := o.tags[key]
		out.Tags = append(out.Tags, Tag{key, &value})
	}
	return out, nil
}

// tag changes the tags of a certificate.
func (a ACM) tag(ctx context.Context, name string, change func(map[string]string) error) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	o, err := a.at(name)
	if err != nil {
		return err
	}
	key := store.Key(kindImported, o.id)
	doc, _, err := a.storage.read(ctx, key)
	if err != nil {
		return err
	}
	var at record
	if err := json.Unmarshal(doc, &at); err != nil {
		return err
	}
	if at.Tags == nil {
		at.Tags = map[string]string{}
	}
	if err := change(at.Tags); err != nil {
		return err
	}
	if doc, err = json.Marshal(at); err != nil {
		return err
	}
	if err := a.storage.write(ctx, key, doc); err != nil {
		return err
	}
	next := a.imported()
	for i, one := range next {
		if one.id == o.id {
			next[i] = &owned{id: o.id, arn: o.arn, source: o.source, cert: o.cert, added: o.added, tags: at.Tags}
			next[i].staple.Store(o.staple.Load())
		}
	}
	return a.replace(next)
}

func tagMap(tags []Tag) map[string]string {
	m := map[string]string{}
	for _, t := range tags {
		m[t.Key] = ""
		if t.Value != nil {
			m[t.Key] = *t.Value
		}
	}
	return m
}

// checkTags checks tags that come to others.
func checkTags(tags []Tag, before map[string]string) error {
	all := tagMap(tags)
	for key, value := range all {
		if n := len([]rune(key)); n < 1 || n > 128 || len([]rune(value)) > 256 {
			return invalid("InvalidTagException", "Tag %q: keys have 1 to 128 characters, values at most 256.", key)
		}
	}
	maps.Copy(all, before)
	if len(all) > 50 {
		return invalid("TooManyTagsException", "%d tags; a certificate has at most 50.", len(all))
	}
	return nil
}
