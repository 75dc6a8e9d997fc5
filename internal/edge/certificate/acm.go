package certificate

import (
	"cmp"
	"context"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// ACM speaks of imported certificates as AWS's Certificate Manager does. Files and
// what was obtained have no ARN and are not seen by it.
type ACM struct{ *Keeper }

// ImportCertificateInput is a certificate of one's own, as PEM.
type ImportCertificateInput struct {
	Certificate      []byte
	PrivateKey       []byte `audit:"hidden"`
	CertificateChain []byte
	CertificateArn   string
	Tags             []Tag
}

// CertificateInput names an imported certificate.
type CertificateInput struct{ CertificateArn string }

// ImportCertificate imports one, or puts it in the place of another.
func (a ACM) ImportCertificate(ctx context.Context, in ImportCertificateInput) (CertificateInput, error) {
	if in.CertificateArn != "" {
		if _, err := a.at(in.CertificateArn); err != nil {
			return CertificateInput{}, err
		}
		if len(in.Tags) > 0 {
			return CertificateInput{}, invalid("ValidationException", "Tags cannot be given when a certificate is put in the place of another; use AddTagsToCertificate.")
		}
	}
	if err := checkTags(in.Tags, nil); err != nil {
		return CertificateInput{}, err
	}
	chain := string(in.Certificate) + "\n" + string(in.CertificateChain)
	info, err := a.put(ctx, ImportInput{ARN: in.CertificateArn, Certificate: chain, Key: string(in.PrivateKey)}, tagMap(in.Tags))
	if fault.KindOf(err) == fault.Invalid {
		return CertificateInput{}, invalid("ValidationException", "%w", err)
	}
	return CertificateInput{info.ARN}, err
}

// GetCertificateOutput is a certificate, and those that vouch for it, as PEM.
type GetCertificateOutput struct {
	Certificate      string
	CertificateChain string `json:",omitempty"`
}

// GetCertificate returns what there is of one for everybody to see.
func (a ACM) GetCertificate(_ context.Context, in CertificateInput) (GetCertificateOutput, error) {
	o, err := a.at(in.CertificateArn)
	if err != nil {
		return GetCertificateOutput{}, err
	}
	var out GetCertificateOutput
	for i, der := range o.cert.Certificate {
		text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		if i == 0 {
			out.Certificate = text
			continue
		}
		out.CertificateChain += text
	}
	return out, nil
}

// DeleteCertificate forgets one that no distribution names.
func (a ACM) DeleteCertificate(ctx context.Context, in CertificateInput) (struct{}, error) {
	if _, err := a.at(in.CertificateArn); err != nil {
		return struct{}{}, err
	}
	if by := a.usedBy(in.CertificateArn); len(by) > 0 {
		return struct{}{}, fault.Coded(fault.Conflict, "ResourceInUseException", "Certificate %s is in use by %s.", in.CertificateArn, strings.Join(by, ", "))
	}
	return struct{}{}, a.Remove(ctx, in.CertificateArn)
}

// DescribeCertificateOutput describes a certificate.
type DescribeCertificateOutput struct{ Certificate CertificateDetail }

// DescribeCertificate describes one.
func (a ACM) DescribeCertificate(_ context.Context, in CertificateInput) (DescribeCertificateOutput, error) {
	o, err := a.at(in.CertificateArn)
	if err != nil {
		return DescribeCertificateOutput{}, err
	}
	return DescribeCertificateOutput{detailOf(o, a.usedBy(o.arn))}, nil
}

// ListCertificatesInput chooses certificates.
type ListCertificatesInput struct {
	CertificateStatuses []string
	Includes            Filters
	MaxItems            *int
	NextToken           string
	SortBy              string // CREATED_AT
	SortOrder           string // ASCENDING or DESCENDING
}

// Filters choose certificates by what is in them. AWS leaves out keys other than RSA
// of 2048 bits unless they are asked for; here everything is listed.
type Filters struct {
	KeyTypes []string `json:"keyTypes"`
}

// ListCertificatesOutput is a page of certificates.
type ListCertificatesOutput struct {
	CertificateSummaryList []CertificateSummary
	NextToken              string `json:",omitempty"`
}

// maxPage is the size of a page unless less is asked for.
const maxPage = 1000

// ListCertificates lists what was imported, by its age.
func (a ACM) ListCertificates(_ context.Context, in ListCertificatesInput) (ListCertificatesOutput, error) {
	size := maxPage
	if in.MaxItems != nil {
		if size = *in.MaxItems; size < 1 || size > maxPage {
			return ListCertificatesOutput{}, invalid("ValidationException", "MaxItems is %d; it must be from 1 to %d.", size, maxPage)
		}
	}
	from := 0
	if in.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(in.NextToken); err != nil || from < 0 {
			return ListCertificatesOutput{}, invalid("InvalidArgsException", "NextToken is none that was given out.")
		}
	}
	all := a.imported()
	slices.SortFunc(all, func(x, y *owned) int { return cmp.Or(x.added.Compare(y.added), cmp.Compare(x.id, y.id)) })
	if in.SortOrder == "DESCENDING" {
		slices.Reverse(all)
	}
	out := ListCertificatesOutput{CertificateSummaryList: []CertificateSummary{}}
	for i, o := range all {
		s := summaryOf(o, len(a.usedBy(o.arn)) > 0)
		if i < from || !chosen(in.CertificateStatuses, s.Status) || !chosen(in.Includes.KeyTypes, s.KeyAlgorithm) {
			continue
		}
		if len(out.CertificateSummaryList) == size {
			out.NextToken = strconv.Itoa(i)
			break
		}
		out.CertificateSummaryList = append(out.CertificateSummaryList, s)
	}
	return out, nil
}

func chosen(among []string, one string) bool { return len(among) == 0 || slices.Contains(among, one) }

// at is the imported certificate of an ARN.
func (a ACM) at(name string) (*owned, error) {
	if at, err := arn.Parse(name); err != nil || at.Service != "acm" {
		return nil, invalid("InvalidArnException", "%q is not the ARN of a certificate.", name)
	}
	if o := a.own.Load().named(name); o != nil {
		return o, nil
	}
	return nil, fault.Coded(fault.NotFound, "ResourceNotFoundException", "Could not find certificate %s.", name)
}

// usedBy are the distributions that name a certificate.
func (a ACM) usedBy(id string) []string {
	by := []string{}
	for _, alias := range a.Sites.Aliases() {
		if site, _ := a.Sites.Site(alias); site.Certificate == id && !slices.Contains(by, site.Distribution) {
			by = append(by, site.Distribution)
		}
	}
	slices.Sort(by)
	return by
}

func invalid(code, format string, args ...any) error {
	return fault.Coded(fault.Invalid, code, format, args...)
}

// expired reports whether a certificate has ended.
func expired(o *owned) bool { return time.Now().After(o.cert.Leaf.NotAfter) }
