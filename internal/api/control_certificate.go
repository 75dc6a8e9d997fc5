package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/certificate"
)

// Certificates is what the control plane needs of the edge's certificates.
type Certificates interface {
	List(ctx context.Context) ([]certificate.Info, error)
	Status(ctx context.Context) (certificate.Status, error)
	Import(ctx context.Context, in certificate.ImportInput) (certificate.Info, error)
	Remove(ctx context.Context, id string) error
	Renew(ctx context.Context, host string) error
}

// CertificateID names an imported certificate, by its ARN or id.
type CertificateID struct {
	ID string `json:"id"`
}

// RenewInput names a host whose certificate was got by ACME.
type RenewInput struct {
	Host string `json:"host"`
}

func (c *Control) certificates(ctx context.Context, _ struct{}) ([]certificate.Info, error) {
	return c.Certificates.List(ctx)
}

func (c *Control) certificateStatus(ctx context.Context, _ struct{}) (certificate.Status, error) {
	return c.Certificates.Status(ctx)
}

// What changes something goes on when its client leaves.

func (c *Control) importCertificate(ctx context.Context, in certificate.ImportInput) (certificate.Info, error) {
	return c.Certificates.Import(context.WithoutCancel(ctx), in)
}

func (c *Control) removeCertificate(ctx context.Context, in CertificateID) (struct{}, error) {
	return struct{}{}, c.Certificates.Remove(context.WithoutCancel(ctx), in.ID)
}

func (c *Control) renewCertificate(ctx context.Context, in RenewInput) (struct{}, error) {
	return struct{}{}, c.Certificates.Renew(context.WithoutCancel(ctx), in.Host)
}

// certificateNeed is the certificate as policies name it, which may be given by its
// id alone; "" is one that is new.
func certificateNeed(id string) []Need {
	if id == "" {
		return on("")
	}
	if _, err := arn.Parse(id); err == nil {
		return on(id)
	}
	return on(arn.Certificate(arn.Region, id))
}
