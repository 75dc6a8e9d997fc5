package api

import (
	"github.com/dropstack/dropstack/internal/edge/certificate"
)

// ACM is AWS's Certificate Manager, for certificates that are imported.
func ACM(a certificate.ACM) *Service {
	one := func(in certificate.CertificateInput) []Need { return on(in.CertificateArn) }
	tags := func(in certificate.TagsInput) []Need { return on(in.CertificateArn) }
	return &Service{Scope: "acm", Prefix: "CertificateManager.", Operations: map[string]Operation{
		"ImportCertificate": op(a.ImportCertificate, func(in certificate.ImportCertificateInput) []Need {
			needs := on(in.CertificateArn)
			if len(in.Tags) > 0 {
				needs = append(needs, Need{Action: "acm:AddTagsToCertificate", Resource: in.CertificateArn})
			}
			return needs
		}),
		"DescribeCertificate": op(a.DescribeCertificate, one),
		"GetCertificate":      op(a.GetCertificate, one),
		"ListCertificates":    op(a.ListCertificates, nil),
		"DeleteCertificate":   op(a.DeleteCertificate, one),

		"AddTagsToCertificate":      op(a.AddTagsToCertificate, tags),
		"RemoveTagsFromCertificate": op(a.RemoveTagsFromCertificate, tags),
		"ListTagsForCertificate":    op(a.ListTagsForCertificate, one),
	}}
}
