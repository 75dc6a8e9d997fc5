// Package cloudfront reads what templates say of CloudFront and of WAFv2 and makes
// of it what the edge has.
package cloudfront
