// Package cloudfront is CloudFront's own API: it shows the distributions that are
// deployed, makes others, and invalidates what the edge has stored.
//
// A distribution that a call makes is part of the stack deploy.APIStack; one of a
// serverless.yml or a template is changed by deploying that again. Stored, in a KV
// bucket of the durable engine:
//
//	invalidations  DISTRIBUTION.ID  what was invalidated, when, as asked by whom
package cloudfront

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
)

// Namespace is that of the API's documents.
const Namespace = "http://cloudfront.amazonaws.com/doc/2020-05-31/"

// Distributions is the room of the API. All fields are required.
type Distributions struct {
	Deployer   Deployer
	Edge       Edge
	Streams    jetstream.JetStream
	Authorizer Authorizer
	// Translate makes a distribution of its configuration; its errors are the caller's.
	Translate func(id string, config map[string]any) (edge.Distribution, error)

	invalidations jetstream.KeyValue
}

// Deployer is what the room needs of deployments.
type Deployer interface {
	Edit(ctx context.Context, stack string, change func(*deploy.Revision) error) (*deploy.Revision, error)
	List() map[string]*deploy.Revision
}

// Edge is what the room needs of the edge.
type Edge interface {
	// Invalidate makes what is stored under the paths of a distribution count as gone.
	// It returns when that is durable.
	Invalidate(ctx context.Context, distribution string, paths []string) error
}

// Open opens what is stored. It is called once, before anything else.
func (d *Distributions) Open(ctx context.Context) (err error) {
	d.invalidations, err = d.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "invalidations", TTL: kept})
	if err != nil {
		return fmt.Errorf("open invalidations: %w", err)
	}
	return nil
}

// ARN names a distribution in policies.
func ARN(id string) string {
	return arn.ARN{Partition: "aws", Service: "cloudfront", Account: arn.Account, Resource: "distribution/" + id}.String()
}

func invalid(code, format string, args ...any) error {
	return fault.Coded(fault.Invalid, code, format, args...)
}

// deployed is a distribution, and the revision that it is part of.
type deployed struct {
	edge.Distribution
	revision *deploy.Revision
}

// all are the distributions, by id.
func (d *Distributions) all() []deployed {
	var list []deployed
	for _, r := range d.Deployer.List() {
		for _, dist := range r.Distributions {
			list = append(list, deployed{dist, r})
		}
	}
	slices.SortFunc(list, func(a, b deployed) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// find returns a distribution by its id.
func (d *Distributions) find(id string) (deployed, error) {
	for _, dist := range d.all() {
		if dist.ID == id {
			return dist, nil
		}
	}
	return deployed{}, fault.Coded(fault.NotFound, "NoSuchDistribution", "The distribution %q does not exist; dropstack edge list names those that do", id)
}

// stamp is a time as the API writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
