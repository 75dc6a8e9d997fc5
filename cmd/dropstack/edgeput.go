package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/spf13/cobra"
)

// put is what the flags of `edge put` say.
type put struct {
	aliases []string
	origin  string
	cache   string
	viewer  string
	acl     string
	other   bool // answers hosts that nothing else claims
}

func (c *cli) edgePut() *cobra.Command {
	var p put
	command := &cobra.Command{
		Use:   "put NAME --origin ORIGIN [--alias HOST]...",
		Short: "Put a distribution in front of a stack, a bucket or any web server",
		Long: `Makes a distribution, or changes the one of that name. ORIGIN is the name of a
stack whose API answers, s3://BUCKET[/PREFIX] or the URL of a web server.

--cache origin stores what the origin's Cache-Control allows; optimized stores what
says nothing about it too, for a day; off stores nothing. A distribution that needs
more than one behaviour is declared in a serverless.yml, or made by
"aws cloudfront create-distribution".`,
		Example: "  dropstack edge put blog --origin http://127.0.0.1:3000 --alias blog.example.com --viewer redirect-to-https\n" +
			"  dropstack edge put files --origin s3://releases --alias files.localhost --cache optimized",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.distribution(args[0])
			if err != nil {
				return err
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if err := client.Call(cmd.Context(), "PutDistribution", api.DistributionInput{Distribution: d}, &d); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, d)
				return nil
			}
			fmt.Fprintf(c.stdout, "distribution %s serves %s\n", d.ID, strings.Join(append([]string{d.Domain}, d.Aliases...), ", "))
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&p.origin, "origin", "", "stack, s3://BUCKET or URL that answers")
	f.StringArrayVar(&p.aliases, "alias", nil, "host name; may be repeated")
	f.StringVar(&p.cache, "cache", "origin", "what is stored: origin, optimized or off")
	f.StringVar(&p.viewer, "viewer", edge.AllowAll, "protocols of clients: allow-all, redirect-to-https or https-only")
	f.StringVar(&p.acl, "web-acl", edge.DefaultWebACL, "web ACL: default, none, or the ARN of one")
	f.BoolVar(&p.other, "default", false, "answer hosts that nothing else claims")
	_ = command.MarkFlagRequired("origin") // it exists
	return command
}

func (p put) distribution(name string) (edge.Distribution, error) {
	origin, err := originOf(p.origin)
	if err != nil {
		return edge.Distribution{}, err
	}
	d := edge.Distribution{
		ID: name, Domain: strings.ToLower(name) + ".cloudfront.localhost", Default: p.other, Origins: []edge.Origin{origin}, WebACL: p.acl,
	}
	for _, alias := range p.aliases {
		d.Aliases = append(d.Aliases, strings.ToLower(alias))
	}
	if p.acl == "none" {
		d.WebACL = ""
	}
	b := edge.Behaviour{Path: "*", Origin: origin.ID, Viewer: p.viewer}
	stored := cache.Policy{MaxTTL: 365 * 24 * time.Hour, Query: cache.Selection{Mode: cache.All}, Encodings: []string{"br", "gzip", "zstd"}}
	switch p.cache {
	case "origin":
		b.Cache = &stored
		b.Forward = &edge.Forward{Query: stored.Query, Headers: cache.Selection{Mode: cache.All}, Cookies: cache.Selection{Mode: cache.All}}
	case "optimized":
		stored.MinTTL, stored.DefaultTTL, stored.Query = time.Second, 24*time.Hour, cache.Selection{}
		b.Cache = &stored
	case "off":
	default:
		return d, fmt.Errorf("%w: --cache %q: it is origin, optimized or off", errUsage, p.cache)
	}
	d.Behaviours = []edge.Behaviour{b}
	return d, nil
}

// originOf reads a stack's name, s3://BUCKET/PREFIX or a URL.
func originOf(text string) (edge.Origin, error) {
	if !strings.Contains(text, "://") {
		return edge.Origin{ID: "origin", Stack: text}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return edge.Origin{}, fmt.Errorf("%w: --origin %q is no stack, s3://BUCKET or URL of a web server", errUsage, text)
	}
	o := edge.Origin{ID: "origin", Domain: u.Hostname(), Path: strings.TrimSuffix(u.EscapedPath(), "/")}
	port := 0
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return o, fmt.Errorf("%w: --origin %q: the port is no number", errUsage, text)
		}
	}
	switch u.Scheme {
	case "s3":
		o.Bucket, o.Domain = u.Host, ""
	case "http":
		o.Protocol, o.HTTPPort = edge.HTTPOnly, port
	case "https":
		o.Protocol, o.HTTPSPort = edge.HTTPSOnly, port
	default:
		return o, fmt.Errorf("%w: --origin %q: %s is no protocol of web servers; http, https and s3 are", errUsage, text, u.Scheme)
	}
	return o, nil
}
