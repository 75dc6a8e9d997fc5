package deploy_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// storage writes down what buckets and log groups are to be.
type storage struct {
	told []string
	gone string // bucket that somebody has deleted
}

func (s *storage) SetPolicy(_ context.Context, bucket, text string) error {
	if bucket == s.gone {
		return fault.Errorf(fault.NotFound, "bucket %s", bucket)
	}
	s.told = append(s.told, fmt.Sprintf("policy of %s: %s", bucket, text))
	return nil
}

func (s *storage) SetCORS(_ context.Context, bucket string, doc []byte) error {
	s.told = append(s.told, fmt.Sprintf("CORS of %s: %s", bucket, doc))
	return nil
}

func (s *storage) Declare(_ context.Context, groups []logs.Declared) error {
	for _, g := range groups {
		s.told = append(s.told, fmt.Sprintf("group %s: %d days", g.Name, g.Retention))
	}
	return nil
}

func TestSettingsOfBucketsComeAndGoWithWhatDeclaresThem(t *testing.T) {
	s, kept := shelf{}, &storage{}
	d := deployer(t, enginetest.Streams(t), s, newHouse())
	d.Rooms.Logs, d.Rooms.Storage = kept, kept
	sha := s.artifact(t)
	declares := func(groups []logs.Declared, settings ...bucket.Settings) *deploy.Revision {
		r := revision(sha, []string{"f 1"})
		r.LogGroups, r.BucketSettings = groups, settings
		return r
	}
	rules := []bucket.CORSRule{{Methods: []string{"GET", "PUT"}, Origins: []string{"*"}, MaxAge: new(60)}}
	for _, step := range []struct {
		name string
		next *deploy.Revision
		want []string
	}{
		{"what is declared", declares([]logs.Declared{{Name: "/a", Retention: 14}}, bucket.Settings{Bucket: "b", Policy: "{}", CORS: rules}, bucket.Settings{Bucket: "c", Policy: "{1}"}), []string{
			"group /a: 14 days",
			"policy of b: {}",
			`CORS of b: <CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*</AllowedOrigin><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>`,
			"policy of c: {1}",
		}},
		{"a policy that is declared no more", declares(nil, bucket.Settings{Bucket: "b", CORS: rules}, bucket.Settings{Bucket: "c", Policy: "{1}"}), []string{
			`CORS of b: <CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*</AllowedOrigin><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>`,
			"policy of c: {1}",
			"policy of b: ",
		}},
	} {
		kept.told = nil
		if _, err := d.Deploy(t.Context(), step.next); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, kept.told); diff != "" {
			t.Errorf("%s: -want +got:\n%s", step.name, diff)
		}
	}
	kept.told, kept.gone = nil, "c"
	if err := d.Remove(t.Context(), "s-dev"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"CORS of b: "}, kept.told); diff != "" {
		t.Errorf("removed: -want +got:\n%s", diff)
	}
}
