package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/cloudfront"
	"github.com/dropstack/dropstack/internal/edge"
)

// DistributionInput is a distribution of the stack of calls.
type DistributionInput struct {
	Distribution edge.Distribution `json:"distribution"`
}

// DistributionID names a distribution.
type DistributionID struct {
	ID string `json:"id"`
}

// InvalidateInput names paths of a distribution, which may end with *.
type InvalidateInput struct {
	ID    string   `json:"id"`
	Paths []string `json:"paths"`
}

// ListedDistribution is a distribution and where it answers.
type ListedDistribution struct {
	edge.Distribution
	URLs []string `json:"urls"`
}

func (c *Control) distributions(context.Context, struct{}) ([]ListedDistribution, error) {
	list := []ListedDistribution{}
	for _, d := range c.Edge.List() {
		listed := ListedDistribution{Distribution: d, URLs: []string{}}
		if d.Default {
			listed.URLs = append(listed.URLs, c.Endpoints.HTTP)
		}
		for _, host := range append([]string{d.Domain}, d.Aliases...) {
			if host != "" {
				listed.URLs = append(listed.URLs, c.URL(host))
			}
		}
		list = append(list, listed)
	}
	return list, nil
}

func (c *Control) putDistribution(ctx context.Context, in DistributionInput) (edge.Distribution, error) {
	return c.Edge.Put(ctx, in.Distribution)
}

func (c *Control) removeDistribution(ctx context.Context, in DistributionID) (struct{}, error) {
	return struct{}{}, c.Edge.Remove(ctx, in.ID)
}

func (c *Control) invalidate(ctx context.Context, in InvalidateInput) (cloudfront.Invalidation, error) {
	return c.Edge.CreateInvalidation(ctx, cloudfront.CreateInvalidationInput{
		DistributionID: in.ID,
		InvalidationBatch: cloudfront.InvalidationBatch{
			CallerReference: uuid.NewString(), Paths: cloudfront.Paths{Quantity: len(in.Paths), Items: in.Paths},
		},
	})
}
