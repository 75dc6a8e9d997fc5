package cloudfront

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// Limits of invalidations, which are CloudFront's.
const (
	maxPaths  = 3000 // of one invalidation
	kept      = 90 * 24 * time.Hour
	completed = "Completed" // they are carried out before they are answered
)

// InvalidationBatch is paths that are to be asked of the origin again. A path may end
// with *, and then stands for all that begin with it.
type InvalidationBatch struct {
	Paths           Paths  `json:"paths"`
	CallerReference string `json:"callerReference"` // the same one with the same paths is the same invalidation
}

// Paths is a list of paths.
type Paths struct {
	Quantity int      `json:"quantity"`
	Items    []string `json:"items" xml:"Items>Path"`
}

// CreateInvalidationInput invalidates paths of a distribution.
type CreateInvalidationInput struct {
	DistributionID    string            `json:"distributionId"`
	InvalidationBatch InvalidationBatch `json:"invalidationBatch"`
}

// Document is what the request's body is read into.
func (in *CreateInvalidationInput) Document() any { return &in.InvalidationBatch }

// Invalidation is one that was carried out.
type Invalidation struct {
	XMLName           xml.Name          `json:"-" xml:"Invalidation"`
	ID                string            `json:"id" xml:"Id"`
	Status            string            `json:"status"`
	CreateTime        string            `json:"createTime"`
	InvalidationBatch InvalidationBatch `json:"invalidationBatch"`

	distribution string
}

// Location is where it can be asked for.
func (i Invalidation) Location() string {
	return "https://cloudfront.amazonaws.com/2020-05-31/distribution/" + i.distribution + "/invalidation/" + i.ID
}

// CreateInvalidation makes what the edge has stored under the paths count as gone, in
// all its variants. It is durable when this returns.
func (d *Distributions) CreateInvalidation(ctx context.Context, in CreateInvalidationInput) (Invalidation, error) {
	if _, err := d.find(in.DistributionID); err != nil {
		return Invalidation{}, err
	}
	if err := in.InvalidationBatch.check(); err != nil {
		return Invalidation{}, err
	}
	out := Invalidation{
		ID:     "I" + strings.ToUpper(arn.ID(13, in.DistributionID, in.InvalidationBatch.CallerReference)),
		Status: completed, CreateTime: stamp(time.Now()), InvalidationBatch: in.InvalidationBatch, distribution: in.DistributionID,
	}
	before, err := d.stored(ctx, in.DistributionID, out.ID)
	if err == nil {
		if !slices.Equal(before.InvalidationBatch.Paths.Items, in.InvalidationBatch.Paths.Items) {
			return Invalidation{}, invalid("InvalidationBatchAlreadyExists", "Caller reference %q has invalidated other paths already; use another", in.InvalidationBatch.CallerReference)
		}
		return before, nil
	}
	if fault.KindOf(err) != fault.NotFound {
		return Invalidation{}, err
	}
	ctx = context.WithoutCancel(ctx) // a client that leaves must not leave half of it
	if err := d.Edge.Invalidate(ctx, in.DistributionID, in.InvalidationBatch.Paths.Items); err != nil {
		return Invalidation{}, err
	}
	doc, err := json.Marshal(out)
	if err != nil {
		return Invalidation{}, err
	}
	_, err = d.invalidations.Put(ctx, in.DistributionID+"."+out.ID, doc)
	return out, err
}

func (b InvalidationBatch) check() error {
	switch {
	case b.CallerReference == "":
		return invalid("InvalidArgument", "The invalidation has no caller reference")
	case len(b.Paths.Items) == 0 || b.Paths.Quantity != len(b.Paths.Items):
		return invalid("InconsistentQuantities", "Quantity is %d and there are %d paths; they must be the same, and at least one", b.Paths.Quantity, len(b.Paths.Items))
	case len(b.Paths.Items) > maxPaths:
		return fault.Coded(fault.Invalid, "TooManyInvalidationsInProgress", "%d paths; one invalidation may have %d", len(b.Paths.Items), maxPaths)
	}
	for _, path := range b.Paths.Items {
		if !strings.HasPrefix(path, "/") || len(path) > 4000 || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return invalid("InvalidArgument", "Path %q must begin with / and have at most 4,000 characters, escaped as in an address", path)
		}
		if i := strings.IndexByte(path, '*'); i >= 0 && i < len(path)-1 {
			return invalid("InvalidArgument", "Path %q: * stands for the rest of a path, and may be its last character only", path)
		}
	}
	return nil
}

// InvalidationInput names an invalidation.
type InvalidationInput struct {
	DistributionID string `json:"distributionId"`
	ID             string `json:"id"`
}

// GetInvalidation tells of an invalidation of the last 90 days.
func (d *Distributions) GetInvalidation(ctx context.Context, in InvalidationInput) (Invalidation, error) {
	if _, err := d.find(in.DistributionID); err != nil {
		return Invalidation{}, err
	}
	return d.stored(ctx, in.DistributionID, in.ID)
}

func (d *Distributions) stored(ctx context.Context, distribution, id string) (out Invalidation, err error) {
	entry, err := d.invalidations.Get(ctx, distribution+"."+id)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return out, fault.Coded(fault.NotFound, "NoSuchInvalidation", "The distribution %s has no invalidation %q", distribution, id)
	}
	if err != nil {
		return out, err
	}
	out.distribution = distribution
	return out, json.Unmarshal(entry.Value(), &out)
}

// ListInput is a page of a list.
type ListInput struct {
	DistributionID string `json:"distributionId,omitempty"`
	Marker         string `json:"marker,omitempty"`
	MaxItems       int    `json:"maxItems,omitempty"` // 1 to 100; 0: 100
}

func (in ListInput) limit() int {
	if in.MaxItems <= 0 || in.MaxItems > 100 {
		return 100
	}
	return in.MaxItems
}

// InvalidationList is a page of invalidations, the newest first.
type InvalidationList struct {
	XMLName     xml.Name              `json:"-" xml:"InvalidationList"`
	Marker      string                `json:"marker"`
	NextMarker  string                `json:"nextMarker,omitempty" xml:",omitempty"`
	MaxItems    int                   `json:"maxItems"`
	IsTruncated bool                  `json:"isTruncated"`
	Quantity    int                   `json:"quantity"`
	Items       []InvalidationSummary `json:"items" xml:"Items>InvalidationSummary"`
}

// InvalidationSummary is one line of a list.
type InvalidationSummary struct {
	ID         string `json:"id" xml:"Id"`
	CreateTime string `json:"createTime"`
	Status     string `json:"status"`
}

// ListInvalidations lists those of the last 90 days.
func (d *Distributions) ListInvalidations(ctx context.Context, in ListInput) (InvalidationList, error) {
	if _, err := d.find(in.DistributionID); err != nil {
		return InvalidationList{}, err
	}
	keys, err := d.invalidations.ListKeysFiltered(ctx, in.DistributionID+".*")
	if err != nil {
		return InvalidationList{}, err
	}
	var all []InvalidationSummary
	for key := range keys.Keys() {
		_, id, _ := strings.Cut(key, ".")
		i, err := d.stored(ctx, in.DistributionID, id)
		if fault.KindOf(err) == fault.NotFound { // its time has come meanwhile
			continue
		}
		if err != nil {
			return InvalidationList{}, err
		}
		all = append(all, InvalidationSummary{i.ID, i.CreateTime, i.Status})
	}
	slices.SortFunc(all, func(a, b InvalidationSummary) int {
		return strings.Compare(b.CreateTime+b.ID, a.CreateTime+a.ID)
	})
	if in.Marker != "" {
		from := slices.IndexFunc(all, func(s InvalidationSummary) bool { return s.ID == in.Marker })
		if from < 0 {
			return InvalidationList{}, invalid("InvalidArgument", "Marker %q is none of this list", in.Marker)
		}
		all = all[from+1:]
	}
	out := InvalidationList{Marker: in.Marker, MaxItems: in.limit(), Items: all}
	if len(all) > out.MaxItems {
		out.Items, out.IsTruncated = all[:out.MaxItems], true
		out.NextMarker = out.Items[out.MaxItems-1].ID
	}
	out.Quantity = len(out.Items)
	return out, nil
}
