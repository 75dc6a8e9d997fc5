package engine

import (
	"net"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/middlewares"
)

// domains are the host names below which a bucket's name may stand, BUCKET.DOMAIN:
// AWS's own, and those by which clients reach a platform on their own machine.
func domains(region string) []string {
	return []string{
		"s3." + region + ".amazonaws.com", "s3-" + region + ".amazonaws.com", "s3.amazonaws.com",
		"s3.dualstack." + region + ".amazonaws.com",
		"s3.localhost", "localhost",
	}
}

// VirtualBucket is the bucket that a Host header names, "" if the path does.
func VirtualBucket(host, region string) string {
	bucket, _ := virtual(host, region)
	return bucket
}

func virtual(host, region string) (bucket, domain string) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for _, domain := range domains(region) {
		if host == domain {
			return "", ""
		}
		if bucket, ok := strings.CutSuffix(host, "."+domain); ok && bucket != "s3" {
			return bucket, domain
		}
	}
	return "", ""
}

// virtualHosts has the S3 server know buckets by their host names. It knows one
// domain itself, and looks for it when it has decoded the path; here it has not
// yet. The path to be signed is taken from the request, and has to be decoded by
// then; the one to be routed is fiber's, which the server decodes next.
func virtualHosts(region string) fiber.Handler {
	parsers := map[string]fiber.Handler{}
	for _, domain := range domains(region) {
		parsers[domain] = middlewares.HostStyleParser(domain)
	}
	return func(ctx fiber.Ctx) error {
		_, domain := virtual(string(ctx.Request().Host()), region)
		if domain == "" {
			return ctx.Next()
		}
		uri := ctx.Request().URI()
		path, err := url.PathUnescape(string(uri.PathOriginal()))
		if err != nil {
			return ctx.Next() // to be refused for it
		}
		uri.SetPath(path)
		return parsers[domain](ctx)
	}
}
