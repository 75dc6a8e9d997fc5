package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/edge/waf/crs"
	"github.com/dropstack/dropstack/internal/edge/waf/reputation"
	"github.com/dropstack/dropstack/internal/fault"
)

// trial is what `waf test` asks a web ACL about.
type trial struct {
	acl, method, data, client string
	log, urls                 string
	headers, skip             []string
	crs, all                  bool

	firewall *waf.Firewall
	name     string // of the web ACL, for the firewall
	asked    int
	blocked  int
}

func (c *cli) wafTest() *cobra.Command {
	t := &trial{}
	command := &cobra.Command{
		Use:   "test [URL]",
		Short: "Ask a web ACL about a request or a log, without sending anything",
		Long: `Shows what a web ACL would do with a request: the rule, the part of the request that
matched and the text that was found there, decoded. The request is a URL with -X, -H and
-d as curl has them, or a whole one as it goes over the wire on standard input, where
the URL is "-". Whole logs are asked about with --log (CloudFront's standard format,
gzipped or not) and --urls (a URL or path a line); then what is blocked is shown.

The web ACL is the platform's own unless --acl names a file in the form of WAFv2's API,
JSON or YAML: a WebACL as "aws wafv2 get-web-acl" prints it, with the sets that it
refers to beside it under IPSets and RegexPatternSets. Nothing needs to run. The data
directory's reputation lists count; to rate-based rules the requests of a file come all
at once.`,
		Example: `  dropstack waf test "/search?q=1' or '1'='1"
  dropstack waf test -H 'Content-Type: application/json' -d '{"title":"O'\''Brien"}' /drops
  dropstack waf test --acl acl.json --log E2EXAMPLE.2026-11-26-10.a1b2c3.gz
  dropstack waf test - < request.txt`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.prepare(c.data); err != nil {
				return err
			}
			switch {
			case t.log != "":
				return t.askLog(cmd.Context(), c)
			case t.urls != "":
				return t.askURLs(cmd.Context(), c)
			case len(args) == 0:
				return fmt.Errorf("%w: name a URL, - for a request on standard input, or a file with --log or --urls", errUsage)
			}
			r, err := t.request(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			t.all = true
			return t.ask(cmd.Context(), c, r, t.client)
		},
	}
	f := command.Flags()
	f.StringVar(&t.acl, "acl", waf.Default, "file with a web ACL, or default")
	f.StringVarP(&t.method, "request", "X", "", "method (default: GET, with --body POST)")
	f.StringArrayVarP(&t.headers, "header", "H", nil, "a header, \"Name: value\"")
	f.StringVarP(&t.data, "body", "d", "", "body; @FILE reads it from a file")
	f.StringVar(&t.client, "client", "198.51.100.1", "address that the request comes from")
	f.StringArrayVar(&t.skip, "skip", nil, "what the rules about injection do not look at, as a behaviour has it: body, query, cookies, headers, body.NAME")
	f.BoolVar(&t.crs, "crs", false, "ask the OWASP Core Rule Set too")
	f.StringVar(&t.log, "log", "", "file of an access log to ask about")
	f.StringVar(&t.urls, "urls", "", "file of URLs or paths to ask about, one a line")
	f.BoolVar(&t.all, "all", false, "of a file, show what is let through too")
	return command
}

// prepare makes the firewall.
func (t *trial) prepare(dir string) error {
	lists := &reputation.Lists{Dir: dir}
	if err := lists.Load(); err != nil {
		return err
	}
	t.firewall = &waf.Firewall{Listed: lists, Sets: map[string]waf.Addresses{"reputation": lists, "bans": waf.Ranges(nil)}}
	if t.crs {
		t.firewall.CRS = &crs.Rules{}
	}
	if t.name = t.acl; t.acl == waf.Default {
		return nil
	}
	acl, sets, patterns, err := readACL(t.acl)
	if err != nil {
		return err
	}
	t.name = acl.ARN
	return t.firewall.Replace("test", []waf.WebACL{acl}, sets, patterns)
}

// readACL reads a web ACL and its sets.
func readACL(path string) (waf.WebACL, []waf.IPSet, []waf.RegexPatternSet, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return waf.WebACL{}, nil, nil, fmt.Errorf("--acl: %w", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(doc, &tree); err != nil { // JSON is YAML
		return waf.WebACL{}, nil, nil, fault.Errorf(fault.Invalid, "%s: %w", path, err)
	}
	if _, wrapped := tree["WebACL"]; !wrapped {
		tree = map[string]any{"WebACL": tree}
	}
	if doc, err = json.Marshal(tree); err != nil {
		return waf.WebACL{}, nil, nil, fault.Errorf(fault.Invalid, "%s: %w", path, err)
	}
	var file struct {
		WebACL           waf.WebACL
		IPSets           []waf.IPSet
		RegexPatternSets []waf.RegexPatternSet
		LockToken        string
	}
	d := json.NewDecoder(strings.NewReader(string(doc)))
	if err := d.Decode(&file); err != nil {
		return waf.WebACL{}, nil, nil, fault.Errorf(fault.Invalid, "%s: %w", path, err)
	}
	if file.WebACL.ARN == "" {
		file.WebACL.ARN = "arn:test"
	}
	return file.WebACL, file.IPSets, file.RegexPatternSets, nil
}

// request makes the request that the flags tell, or reads it.
func (t *trial) request(in io.Reader, target string) (*http.Request, error) {
	if target == "-" {
		r, err := http.ReadRequest(bufio.NewReader(in))
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "standard input is no request: %w", err)
		}
		return r, nil
	}
	body := t.data
	if file, ok := strings.CutPrefix(body, "@"); ok {
		doc, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--body: %w", err)
		}
		body = string(doc)
	}
	method := t.method
	if method == "" {
		if method = http.MethodGet; body != "" {
			method = http.MethodPost
		}
	}
	r, err := toTarget(method, target)
	if err != nil {
		return nil, err
	}
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, line := range t.headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%w: --header %q: a name, a colon and a value", errUsage, line)
		}
		if r.Header.Set(name, strings.TrimSpace(value)); strings.EqualFold(name, "Host") {
			r.Host = strings.TrimSpace(value)
		}
	}
	return r, nil
}

// toTarget makes a request of a URL or a path. What could not stand in either is taken
// as it is, as clients of attackers send it.
func toTarget(method, target string) (*http.Request, error) {
	host := "localhost"
	if scheme, rest, ok := strings.Cut(target, "://"); ok && (scheme == "http" || scheme == "https") {
		host, target, _ = strings.Cut(rest, "/")
		target = "/" + target
	}
	path, query, _ := strings.Cut(target, "?")
	query, _, _ = strings.Cut(query, "#")
	if path == "" || path[0] != '/' {
		return nil, fault.Errorf(fault.Invalid, "%q is neither a URL nor a path that begins with /", target)
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		plain = path
	}
	r := &http.Request{
		Method: method, Host: host, Header: http.Header{"User-Agent": {"dropstack"}}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL: &url.URL{Path: plain, RawPath: path, RawQuery: query},
	}
	return r, nil
}

// answered is what is printed of a request.
type answered struct {
	Method  string      `json:"method"`
	URI     string      `json:"uri"`
	Client  string      `json:"client"`
	Block   bool        `json:"block"`
	Rule    string      `json:"rule,omitempty"`
	Status  int         `json:"status,omitempty"`
	Labels  []string    `json:"labels,omitempty"`
	Matches []waf.Match `json:"matches,omitempty"`
}

// ask has the web ACL decide, and prints what it does.
func (t *trial) ask(ctx context.Context, c *cli, r *http.Request, client string) error {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return fault.Errorf(fault.Invalid, "client %q is no address", client)
	}
	v, matches := t.firewall.Examine(ctx, &waf.Request{ACL: t.name, HTTP: r, Client: addr, CRS: t.crs, Skip: t.skip})
	t.asked++
	if v.Block {
		t.blocked++
	}
	if !v.Block && !t.all {
		return nil
	}
	out := answered{Method: r.Method, URI: r.URL.RequestURI(), Client: client, Block: v.Block, Rule: v.Rule, Status: v.Status, Labels: v.Labels, Matches: matches}
	if c.json {
		c.writeJSON(c.stdout, out)
		return nil
	}
	verb := "let through"
	if v.Block {
		verb = fmt.Sprintf("blocked (%d)", v.Status)
	}
	fmt.Fprintf(c.stdout, "%s %s: %s\n", out.Method, harmless(out.URI), verb)
	for _, m := range matches {
		fmt.Fprintf(c.stdout, "  %s %s", strings.ToLower(m.Action), m.Rule)
		if m.Field != "" {
			fmt.Fprintf(c.stdout, "  in %s: %.200q", m.Field, m.Value)
		}
		if len(m.Labels) > 0 {
			fmt.Fprintf(c.stdout, "  labels %s", strings.Join(m.Labels, ", "))
		}
		fmt.Fprintln(c.stdout)
	}
	return nil
}

// harmless is a text of a client's without what terminals obey.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\ufffd'
		}
		return r
	}, text)
}

// summary is the last line about a file.
func (t *trial) summary(c *cli) {
	if c.json {
		c.writeJSON(c.stdout, map[string]int{"requests": t.asked, "blocked": t.blocked})
		return
	}
	fmt.Fprintf(c.stdout, "%d of %d requests are blocked\n", t.blocked, t.asked)
}

func (t *trial) askLog(ctx context.Context, c *cli) error {
	f, err := os.Open(t.log)
	if err != nil {
		return fmt.Errorf("--log: %w", err)
	}
	defer f.Close()
	for record, err := range accesslog.Read(f) {
		if err != nil {
			return fmt.Errorf("%s: %w", t.log, err)
		}
		r, err := replayed(&record)
		if err != nil {
			return fmt.Errorf("%s: %w", t.log, err)
		}
		if err := t.ask(ctx, c, r, record.Client); err != nil {
			return err
		}
	}
	t.summary(c)
	return nil
}

// replayed is the request of a record; what a log does not have is missing.
func replayed(record *edge.AccessRecord) (*http.Request, error) {
	target := record.Path
	if record.Query != "" {
		target += "?" + record.Query
	}
	r, err := toTarget(record.Method, target)
	if err != nil {
		return nil, err
	}
	r.Host = record.Host
	for name, value := range map[string]string{"User-Agent": record.UserAgent, "Referer": record.Referrer, "Cookie": record.Cookie, "X-Forwarded-For": record.ForwardedFor} {
		if r.Header.Del(name); value != "" && value != "-" {
			r.Header.Set(name, value)
		}
	}
	return r, nil
}

func (t *trial) askURLs(ctx context.Context, c *cli) error {
	f, err := os.Open(t.urls)
	if err != nil {
		return fmt.Errorf("--urls: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		r, err := t.request(nil, line)
		if err == nil {
			err = t.ask(ctx, c, r, t.client)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", t.urls, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fault.Errorf(fault.Invalid, "a line is longer than 1 MB")
		}
		return fmt.Errorf("%s: %w", t.urls, err)
	}
	t.summary(c)
	return nil
}
