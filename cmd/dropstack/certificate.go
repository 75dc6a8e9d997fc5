package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/spf13/cobra"
)

func (c *cli) edgeCertificate() *cobra.Command {
	command := &cobra.Command{
		Use:   "certificate",
		Short: "Keep the certificates that the edge shows to clients who come by HTTPS",
	}
	command.AddCommand(c.certificateList(), c.certificateImport(), c.certificateRemove(), c.certificateRenew(), c.certificateStatus())
	return command
}

func (c *cli) certificateList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List certificates, the one that ends first at the front",
		Long: `Lists certificates of your own, imported or as files in DATA/certificates, and those
that were got by ACME. The installation's own authority makes those of localhost as
they are asked for; they are not listed.`,
		Example: "  dropstack edge certificate list\n  dropstack edge certificate list --json | jq -r .notAfter",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var list []certificate.Info
			if err := client.Call(cmd.Context(), "ListCertificates", struct{}{}, &list); err != nil {
				return err
			}
			c.printCertificates(list)
			return nil
		},
	}
}

func (c *cli) printCertificates(list []certificate.Info) {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAMES\tFROM\tUNTIL\tISSUER\tID")
	for _, one := range list {
		if c.json {
			c.writeJSON(c.stdout, one)
			continue
		}
		id := one.ID
		if one.ARN != "" {
			id = one.ARN
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", strings.Join(one.Names, " "), one.Source, until(one.NotAfter), one.Issuer, id)
	}
	if !c.json {
		_ = table.Flush() // a closed pipe has nobody to tell
	}
}

// until is an end, with how long that is from now.
func until(at time.Time) string {
	left := time.Until(at)
	if left < 0 {
		return at.UTC().Format(time.DateOnly) + " (ended)"
	}
	return fmt.Sprintf("%s (%d days)", at.UTC().Format(time.DateOnly), int(left.Hours()/24))
}

func (c *cli) certificateImport() *cobra.Command {
	var certFile, keyFile, chainFile string
	in := certificate.ImportInput{}
	command := &cobra.Command{
		Use:   "import --certificate FILE --key FILE",
		Short: "Use a certificate of your own",
		Long: `Uses a certificate for the names in it, from now on. It is stored sealed; its key is
not shown again. Its ARN may be named by a distribution, as AcmCertificateArn; with
--arn it takes the place of one that was imported before.

Pairs of files NAME.crt and NAME.key in DATA/certificates are used too, and read
again when they change.`,
		Example: "  dropstack edge certificate import --certificate fullchain.pem --key privkey.pem",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if certFile == "" || keyFile == "" {
				return fmt.Errorf("%w: say which files with --certificate and --key", errUsage)
			}
			for _, f := range []struct {
				path string
				to   *string
			}{{certFile, &in.Certificate}, {chainFile, &in.Certificate}, {keyFile, &in.Key}} {
				if f.path == "" {
					continue
				}
				doc, err := os.ReadFile(f.path)
				if err != nil {
					return fault.Errorf(fault.Invalid, "%w", err)
				}
				*f.to += string(doc) + "\n"
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var out certificate.Info
			if err := client.Call(cmd.Context(), "ImportCertificate", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "%s\n  for    %s\n  until  %s\n", out.ARN, strings.Join(out.Names, " "), until(out.NotAfter))
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&certFile, "certificate", "", "file of the certificate, as PEM; those that vouch for it may follow in it")
	f.StringVar(&chainFile, "chain", "", "file of those that vouch for it, if they are not in the same")
	f.StringVar(&keyFile, "key", "", "file of its key, as PEM without a passphrase")
	f.StringVar(&in.ARN, "arn", "", "of an imported certificate that it takes the place of")
	return command
}

func (c *cli) certificateRemove() *cobra.Command {
	return &cobra.Command{
		Use:     "remove CERTIFICATE",
		Short:   "Forget an imported certificate, by its ARN or id",
		Example: "  dropstack edge certificate remove arn:aws:acm:us-east-1:000000000000:certificate/2f5b1c9e-5d0a-4f0e-9c55-0d5f9b8a6a31",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			return client.Call(cmd.Context(), "RemoveCertificate", api.CertificateID{ID: args[0]}, nil)
		},
	}
}

func (c *cli) certificateRenew() *cobra.Command {
	return &cobra.Command{
		Use:   "renew HOST",
		Short: "Get a new certificate for a host by ACME, due or not",
		Long: `Gets a new certificate for a host now. Nobody need do that: certificates are renewed
when a third of their life is left, or when their authority says so. The old one is
used until the new one is there.`,
		Example: "  dropstack edge certificate renew www.example.com",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if err := client.Call(cmd.Context(), "RenewCertificate", api.RenewInput{Host: strings.ToLower(args[0])}, nil); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, map[string]string{"event": "renewed", "host": args[0]})
				return nil
			}
			fmt.Fprintf(c.stdout, "%s has a new certificate\n", args[0])
			return nil
		},
	}
}

func (c *cli) certificateStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell whether ACME is on, what failed, and which aliases have no certificate",
		Long: `Tells how certificates are got, which of them end soon, which orders failed and why,
which files are not used, and which aliases of distributions clients cannot reach by
HTTPS.`,
		Example: "  dropstack edge certificate status",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var s certificate.Status
			if err := client.Call(cmd.Context(), "DescribeCertificates", struct{}{}, &s); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, s)
				return nil
			}
			return c.report(certificateFindings(s))
		},
	}
}

// certificateFindings tells how certificates stand.
func certificateFindings(s certificate.Status) []finding {
	first := finding{Check: "acme", Status: statusOK, Detail: "off; names of distributions need certificates of your own"}
	if s.ACME {
		first.Detail = "on, by " + s.Directory
		if s.Email == "" {
			first.Detail += ", without an address to write to"
		}
		first.Advice = s.Advice
	}
	all := []finding{first}
	for _, one := range s.List {
		f := finding{Check: "certificate", Status: statusOK, Detail: fmt.Sprintf("%s, %s, until %s", strings.Join(one.Names, " "), one.Source, until(one.NotAfter))}
		if left := time.Until(one.NotAfter); left < certificate.Soon(one) {
			f.Status, f.Advice = statusWarning, "put a new one in its place"
			if one.Source == certificate.FromACME {
				f.Advice = "its renewal fails; what failed is told below"
			}
		}
		all = append(all, f)
	}
	for name, why := range s.Faults {
		all = append(all, finding{Check: "certificate", Status: statusWarning, Detail: name + ".crt is not used: " + why})
	}
	for _, f := range s.Failures {
		all = append(all, finding{
			Check: "certificate", Status: statusWarning, Advice: f.Advice,
			Detail: fmt.Sprintf("%s got none, %d times; not before %s again: %s", f.Host, f.Tries, f.Until.UTC().Format(time.RFC3339), f.Problem),
		})
	}
	for _, w := range s.Without {
		all = append(all, finding{Check: "certificate", Status: statusWarning, Detail: "alias " + w.Alias + " has none", Advice: w.Advice})
	}
	for _, id := range s.Missing {
		all = append(all, finding{Check: "certificate", Status: statusWarning, Detail: id + " is named by a distribution and is not there; others are shown in its place", Advice: "import it: dropstack edge certificate import"})
	}
	return all
}
