package iam

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/iam/policy"
)

// identity is what users, roles and groups have in common, as stored.
type identity struct {
	Name, Path, ID string
	Created        time.Time
	Tags           []Tag             `json:",omitempty"`
	Inline         map[string]string `json:",omitempty"` // documents by name
	Attached       []string          `json:",omitempty"` // ARNs of managed policies

	inline []policy.Source // compiled
}

// user is a stored user.
type user struct {
	identity
	Groups []string    `json:",omitempty"` // names
	Keys   []storedKey `json:",omitempty"`
	Moved  string      `json:",omitempty"` // the former name, in lower case
}

// storedKey is an access key of a user.
type storedKey struct {
	ID       string
	Secret   []byte // sealed
	Disabled bool   `json:",omitempty"`
	Created  time.Time
}

// role is a stored or declared role.
type role struct {
	identity
	Description string `json:",omitempty"`
	MaxSession  int    // seconds
	Trust       string // the trust policy

	trust    policy.Document
	declared bool // by a deployment
}

// group is a stored group.
type group struct{ identity }

// managed is a policy that can be attached, as stored.
type managed struct {
	Name, Path, ID, Description string
	Created, Updated            time.Time
	Tags                        []Tag `json:",omitempty"`
	Versions                    []version
	Default                     string // id of a version
	Last                        int    // number of the newest version ever

	document policy.Document // the default version's
	aws      bool            // AWS's own
}

// version is one of a managed policy's documents.
type version struct {
	ID, Document string
	Created      time.Time
}

func (u *user) arn() string  { return arnOf("iam", "user"+u.Path+u.Name) }
func (r *role) arn() string  { return arnOf("iam", "role"+r.Path+r.Name) }
func (g *group) arn() string { return arnOf("iam", "group"+g.Path+g.Name) }

func (m *managed) arn() string {
	if m.aws {
		return "arn:aws:iam::aws:policy" + m.Path + m.Name
	}
	return arnOf("iam", "policy"+m.Path+m.Name)
}

func (m *managed) version(id string) *version {
	for i := range m.Versions {
		if m.Versions[i].ID == id {
			return &m.Versions[i]
		}
	}
	return nil
}

// kind is the word for the policy in the simulator.
func (m *managed) kind() string {
	if m.aws {
		return "aws-managed"
	}
	return "user-managed"
}

// compile makes a record that was read ready for use.
func (i *identity) compile(kind string) error {
	i.inline = nil
	for _, name := range slices.Sorted(maps.Keys(i.Inline)) {
		d, err := policy.Parse(policy.Identity, i.Inline[name])
		if err != nil {
			return fmt.Errorf("inline policy %s of %s %s: %w", name, kind, i.Name, err)
		}
		i.inline = append(i.inline, policy.Source{ID: name, Type: kind, Document: &d})
	}
	return nil
}

func (r *role) compile() (err error) {
	if r.trust, err = policy.Parse(policy.Trust, r.Trust); err != nil {
		return fmt.Errorf("trust policy of role %s: %w", r.Name, err)
	}
	return r.identity.compile("role")
}

func (m *managed) compile() (err error) {
	v := m.version(m.Default)
	if v == nil {
		return fmt.Errorf("policy %s has no version %q", m.Name, m.Default)
	}
	if m.document, err = policy.Parse(policy.Identity, v.Document); err != nil {
		return fmt.Errorf("policy %s, version %s: %w", m.Name, v.ID, err)
	}
	return nil
}

// newID makes a unique id of AWS's form: prefix and 17 letters and digits.
func newID(prefix string) string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + base32.StdEncoding.EncodeToString(b[:])[:17]
}

// fixedID is an id that is always the same for a text.
func fixedID(prefix, text string) string {
	sum := sha256.Sum256([]byte(text))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}
