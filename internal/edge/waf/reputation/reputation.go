// Package reputation keeps lists of addresses that others have found to be bad:
// Spamhaus DROP, exits of Tor, block lists such as that of Emerging Threats, or files
// of the operator's own.
//
// There are none until the operator names some in DIR/reputation.yml. What has been
// fetched is stored below DIR/reputation, as it came and with its notice, so that a
// restart has it and sources are asked no more often than they want to be:
//
//	NAME.list   the last good list
//	NAME.json   its state: when it was fetched and by what validators, what is wrong
//
// A list that comes empty, much smaller than the last, or not as a list at all is
// refused, and the last good one stays. No list gets to block everybody: what is too
// wide, private or allowed by the operator is left out.
package reputation

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	// Soonest is how often a URL is asked at most: Spamhaus bans who asks more.
	Soonest = time.Hour
	// DefaultEvery is how often it is asked.
	DefaultEvery = 12 * time.Hour
	// MaxLists is how many lists there may be.
	MaxLists = 32
	// maxSize is how large a list may be.
	maxSize = 16 << 20
	// maxEntries is how many addresses it may have.
	maxEntries = 500_000
)

// Config is the file DIR/reputation.yml.
type Config struct {
	Lists []Source `yaml:"lists"`
	Allow []string `yaml:"allow,omitempty"` // CIDRs that no list is believed about
}

// Source is where a list comes from.
type Source struct {
	Name  string `yaml:"name"`
	URL   string `yaml:"url,omitempty"`
	File  string `yaml:"file,omitempty"`  // in place of URL; read again when it changes
	Every string `yaml:"every,omitempty"` // such as 6h, of a URL; "": DefaultEvery

	every time.Duration
}

var listName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Path is where the lists of a data directory are named.
func Path(dir string) string { return filepath.Join(dir, "reputation.yml") }

// Read reads and checks the configuration of a data directory; without the file it is
// empty.
func Read(dir string) (Config, error) {
	doc, err := os.ReadFile(Path(dir))
	if os.IsNotExist(err) {
		return Config{}, nil
	}
	if err != nil {
		return Config{}, err
	}
	d := yaml.NewDecoder(strings.NewReader(string(doc)))
	d.KnownFields(true)
	var c Config
	if err := d.Decode(&c); err != nil && len(strings.TrimSpace(string(doc))) > 0 {
		return Config{}, fault.Errorf(fault.Invalid, "%s: %w", Path(dir), err)
	}
	if err := c.check(); err != nil {
		return Config{}, fault.Errorf(fault.Invalid, "%s: %w", Path(dir), err)
	}
	return c, nil
}

func (c *Config) check() error {
	if len(c.Lists) > MaxLists {
		return fmt.Errorf("%d lists; %d is the most", len(c.Lists), MaxLists)
	}
	names := map[string]bool{}
	for i := range c.Lists {
		s := &c.Lists[i]
		if !listName.MatchString(s.Name) || names[s.Name] {
			return fmt.Errorf("lists: name %q must have 1 to 63 of a-z, 0-9 and -, and be there once", s.Name)
		}
		names[s.Name] = true
		if err := s.check(); err != nil {
			return fmt.Errorf("list %q: %w", s.Name, err)
		}
	}
	_, err := c.allowed()
	return err
}

func (s *Source) check() error {
	if (s.URL == "") == (s.File == "") {
		return fmt.Errorf("it must have a url or a file")
	}
	if u, err := url.Parse(s.URL); s.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		return fmt.Errorf("url %q must begin with https:// or http://", s.URL)
	}
	if s.File != "" && !filepath.IsAbs(s.File) {
		return fmt.Errorf("file %q must be a whole path", s.File)
	}
	s.every = DefaultEvery
	if s.Every != "" {
		d, err := time.ParseDuration(s.Every)
		if err != nil || d < Soonest {
			return fmt.Errorf("every %q must be a time such as 6h, and not below %v", s.Every, Soonest)
		}
		s.every = d
	}
	return nil
}

func (c *Config) allowed() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range c.Allow {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("allow: %q is no CIDR such as 192.0.2.0/24", text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Change reads the configuration of a data directory, changes it and writes it back.
func Change(dir string, change func(*Config) error) error {
	c, err := Read(dir)
	if err != nil {
		return err
	}
	if err := change(&c); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return fault.Errorf(fault.Invalid, "%w", err)
	}
	slices.SortFunc(c.Lists, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	return write(dir, c)
}
