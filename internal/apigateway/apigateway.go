// Package apigateway is API Gateway's own API: it shows the APIs that are deployed,
// sets what belongs to a stage, and keeps API keys and usage plans.
//
// APIs themselves are made by deployments only. A key or plan that a call makes is
// part of the stack deploy.APIStack; one of a serverless.yml or a template stays in
// its own stack, and what calls change of it lasts until it is deployed again. What
// calls set of a stage that a template deploys outlives the template's deployments,
// as there is nothing in it that would say otherwise (gateway.StageSettings).
//
// Stored, in a KV bucket of the durable engine:
//
//	apigateway  account  the settings of the account
package apigateway

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/wire"
)

// APIs is the room of the API. All fields are required.
type APIs struct {
	Deployer Deployer
	Meter    Meter
	Streams  jetstream.JetStream
	Region   string
	// URL is where an API of that id and stage answers.
	URL func(id, stage string) string

	account jetstream.KeyValue
}

// Deployer is what the room needs of deployments.
type Deployer interface {
	Edit(ctx context.Context, stack string, change func(*deploy.Revision) error) (*deploy.Revision, error)
	List() map[string]*deploy.Revision
}

// Meter is what the room needs of the gateway's counts.
type Meter interface {
	// Usage is what the keys of a plan have used on each day of a span, both ends
	// included.
	Usage(plan string, from, to time.Time) map[string][]int
}

// Open opens what is stored. It is called once, before anything else.
func (a *APIs) Open(ctx context.Context) (err error) {
	if a.account, err = a.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "apigateway"}); err != nil {
		return fmt.Errorf("open API Gateway's settings: %w", err)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "BadRequestException", format, args...)
}

func notFound(format string, args ...any) error {
	return fault.Coded(fault.NotFound, "NotFoundException", format, args...)
}

func conflict(format string, args ...any) error {
	return fault.Coded(fault.Conflict, "ConflictException", format, args...)
}

// deployed is an API, and the revision that it is part of.
type deployed struct {
	gateway.API
	revision *deploy.Revision
}

// created is when the API became what it is.
func (d deployed) created() time.Time {
	if !d.API.Created.IsZero() {
		return d.API.Created
	}
	return d.revision.Created
}

// all is the APIs of a kind, in the order of their stacks.
func (a *APIs) all(kind string) (list []deployed) {
	stacks := a.Deployer.List()
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		for _, api := range stacks[stack].APIs {
			if api.Kind == kind {
				list = append(list, deployed{api, stacks[stack]})
			}
		}
	}
	return list
}

// find returns an API by its id.
func (a *APIs) find(kind, id string) (deployed, error) {
	list := a.all(kind)
	if i := slices.IndexFunc(list, func(d deployed) bool { return d.ID == id }); i >= 0 {
		return list[i], nil
	}
	if kind == gateway.HTTP {
		return deployed{}, notFound("Invalid API id specified %s", id)
	}
	return deployed{}, notFound("Invalid API identifier specified %s", id)
}

// edit makes the next revision of a stack. A client that leaves must not cut it in
// two.
func (a *APIs) edit(ctx context.Context, stack string, change func(*deploy.Revision) error) error {
	_, err := a.Deployer.Edit(context.WithoutCancel(ctx), stack, change)
	return err
}

// PageInput asks for a page of a list.
type PageInput struct {
	Limit    *int   `json:"limit,omitempty"`
	Position string `json:"position,omitempty"`
}

// Page is a page of a list, and where the next one begins.
type Page[T any] struct {
	Position string `json:"position,omitempty"`
	Item     []T    `json:"item"`
}

const (
	defaultLimit = 25
	maxLimit     = 500
)

// page cuts a list that is sorted as it will be next time; id tells its items apart.
func page[T any](list []T, id func(T) string, in PageInput) (Page[T], error) {
	limit := defaultLimit
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > maxLimit {
		return Page[T]{}, invalid("limit %d: it must be between 1 and %d", limit, maxLimit)
	}
	if in.Position != "" {
		last, err := base64.RawURLEncoding.DecodeString(in.Position)
		at := slices.IndexFunc(list, func(item T) bool { return id(item) == string(last) })
		if err != nil || at < 0 {
			return Page[T]{}, invalid("Invalid position specified")
		}
		list = list[at+1:]
	}
	out := Page[T]{Item: append([]T{}, list[:min(limit, len(list))]...)}
	if len(list) > limit {
		out.Position = base64.RawURLEncoding.EncodeToString([]byte(id(list[limit-1])))
	}
	return out, nil
}

// partID is the id of a part of an API, the same for the same part.
func partID(api string, part ...string) string { return arn.ID(6, append([]string{api}, part...)...) }

func at(t time.Time) wire.Time { return wire.At(t) }
