package api

import (
	"net/http"

	"github.com/dropstack/dropstack/internal/cloudfront"
)

// CloudFront is CloudFront's own API, which is REST with XML bodies.
func CloudFront(d *cloudfront.Distributions) *Service {
	const all, one = "/2020-05-31/distribution", "/2020-05-31/distribution/{Id}"
	const invalidations = "/2020-05-31/distribution/{DistributionId}/invalidation"
	id := func(in cloudfront.IDInput) []Need { return on(cloudfront.ARN(in.ID)) }
	return &Service{
		Scope: "cloudfront", Namespace: cloudfront.Namespace, xml: true,
		Codes: map[string]string{
			"AccessDeniedException": "AccessDenied", "ValidationException": "InvalidArgument", "UnknownOperationException": "NoSuchResource",
			"UnrecognizedClientException": "InvalidClientTokenId",
		},
		routes: []route{
			{http.MethodGet, all, "ListDistributions", http.StatusOK, op(d.ListDistributions, nil)},
			{http.MethodPost, all, "CreateDistribution", http.StatusCreated, op(d.CreateDistribution, func(cloudfront.CreateDistributionInput) []Need {
				return on(cloudfront.ARN("*")) // its id is yet to be made
			})},
			{http.MethodGet, one, "GetDistribution", http.StatusOK, op(d.GetDistribution, id)},
			{http.MethodGet, one + "/config", "GetDistributionConfig", http.StatusOK, op(d.GetDistributionConfig, id)},
			{http.MethodPut, one + "/config", "UpdateDistribution", http.StatusOK, op(d.UpdateDistribution, func(in cloudfront.UpdateDistributionInput) []Need {
				return on(cloudfront.ARN(in.ID))
			})},
			{http.MethodDelete, one, "DeleteDistribution", http.StatusNoContent, op(d.DeleteDistribution, id)},

			{http.MethodPost, invalidations, "CreateInvalidation", http.StatusCreated, op(d.CreateInvalidation, func(in cloudfront.CreateInvalidationInput) []Need {
				return on(cloudfront.ARN(in.DistributionID))
			})},
			{http.MethodGet, invalidations, "ListInvalidations", http.StatusOK, op(d.ListInvalidations, func(in cloudfront.ListInput) []Need {
				return on(cloudfront.ARN(in.DistributionID))
			})},
			{http.MethodGet, invalidations + "/{Id}", "GetInvalidation", http.StatusOK, op(d.GetInvalidation, func(in cloudfront.InvalidationInput) []Need {
				return on(cloudfront.ARN(in.DistributionID))
			})},
		},
	}
}
