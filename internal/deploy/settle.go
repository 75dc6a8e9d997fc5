package deploy

import (
	"context"
	"encoding/xml"
	"fmt"

	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/fault"
)

// settle makes the log groups of a revision, and gives its buckets their settings.
// Those that old declared and next does not are taken away again: a bucket outlives
// its stack, but not the stack's word on who may see what is in it.
func (d *Deployer) settle(ctx context.Context, old, next *Revision) error {
	if len(next.LogGroups) > 0 {
		if err := d.Rooms.Logs.Declare(ctx, next.LogGroups); err != nil {
			return fmt.Errorf("log groups: %w", err)
		}
	}
	said := map[string]bucket.Settings{}
	for _, s := range next.BucketSettings {
		said[s.Bucket] = s
		if err := d.setBucket(ctx, s, s.Policy != "", len(s.CORS) > 0); err != nil {
			return fmt.Errorf("settings of bucket %s: %w", s.Bucket, err)
		}
	}
	if old == nil {
		return nil
	}
	for _, was := range old.BucketSettings {
		is := said[was.Bucket]
		policy, cors := was.Policy != "" && is.Policy == "", len(was.CORS) > 0 && len(is.CORS) == 0
		err := d.setBucket(ctx, bucket.Settings{Bucket: was.Bucket}, policy, cors)
		if err != nil && fault.KindOf(err) != fault.NotFound { // somebody has deleted the bucket
			return fmt.Errorf("settings of bucket %s: %w", was.Bucket, err)
		}
	}
	return nil
}

// setBucket gives a bucket its policy, its CORS rules, or both.
func (d *Deployer) setBucket(ctx context.Context, s bucket.Settings, policy, cors bool) error {
	if policy {
		if err := d.Rooms.Storage.SetPolicy(ctx, s.Bucket, s.Policy); err != nil {
			return err
		}
	}
	if !cors {
		return nil
	}
	doc, err := corsOf(s)
	if err != nil {
		return err
	}
	return d.Rooms.Storage.SetCORS(ctx, s.Bucket, doc)
}

// corsRule is a rule in S3's words.
type corsRule struct {
	ID      string   `xml:"ID,omitempty"`
	Methods []string `xml:"AllowedMethod"`
	Origins []string `xml:"AllowedOrigin"`
	Headers []string `xml:"AllowedHeader"`
	Expose  []string `xml:"ExposeHeader"`
	MaxAge  *int     `xml:"MaxAgeSeconds"`
}

// corsOf is the CORS configuration of a bucket as it is put; nil without rules.
func corsOf(s bucket.Settings) ([]byte, error) {
	if len(s.CORS) == 0 {
		return nil, nil
	}
	doc := struct {
		XMLName xml.Name   `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CORSConfiguration"`
		Rules   []corsRule `xml:"CORSRule"`
	}{}
	for _, r := range s.CORS {
		doc.Rules = append(doc.Rules, corsRule(r))
	}
	return xml.Marshal(doc)
}
