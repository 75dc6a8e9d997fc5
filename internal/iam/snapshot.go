package iam

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/dropstack/dropstack/internal/iam/policy"
)

// snapshot is everything that requests are answered from. It is never changed: a
// change makes another, which shares what is the same.
type snapshot struct {
	revisions map[string]uint64 // of the bucket's keys, deleted ones too
	users     map[string]*user  // by name in lower case, as the following
	roles     map[string]*role
	groups    map[string]*group
	policies  map[string]*managed
	keys      map[string]accessKey // by id
	used      map[string]use       // by access key id

	stacks    map[string]*declared // by stack
	declared  map[string]*role     // of all stacks, by name in lower case
	functions map[string]*role     // what functions run as, by ARN
	arns      map[string]*role     // every role, by ARN

	ofUser map[*user][]policy.Source // all that speak for a user
	ofRole map[*role][]policy.Source
}

// accessKey is a key that is ready for use.
type accessKey struct {
	Credentials
	disabled bool
	owner    *user
}

func newSnapshot() *snapshot {
	return &snapshot{
		revisions: map[string]uint64{}, users: map[string]*user{}, roles: map[string]*role{}, groups: map[string]*group{},
		policies: map[string]*managed{}, keys: map[string]accessKey{}, used: map[string]use{}, stacks: map[string]*declared{},
	}
}

func (s *snapshot) clone() *snapshot {
	return &snapshot{
		revisions: maps.Clone(s.revisions), users: maps.Clone(s.users), roles: maps.Clone(s.roles), groups: maps.Clone(s.groups),
		policies: maps.Clone(s.policies), keys: maps.Clone(s.keys), used: maps.Clone(s.used), stacks: maps.Clone(s.stacks),
	}
}

// swap makes the next snapshot from the present one.
func (a *Authority) swap(change func(*snapshot) error) error {
	a.swaps.Lock()
	defer a.swaps.Unlock()
	next := a.now.Load().clone()
	if err := change(next); err != nil {
		return err
	}
	next.link()
	a.now.Store(next)
	return nil
}

// apply takes over a record as it was stored at a revision; nil is a deleted one.
func (a *Authority) apply(s *snapshot, key string, revision uint64, doc []byte) error {
	if revision <= s.revisions[key] {
		return nil
	}
	kind, name, err := parseKey(key)
	if err != nil {
		return err
	}
	switch kind {
	case "user":
		err = a.applyUser(s, name, doc)
	case "role":
		err = put(s.roles, name, doc, (*role).compile)
	case "group":
		err = put(s.groups, name, doc, func(g *group) error { return g.compile("group") })
	case "policy":
		err = put(s.policies, name, doc, (*managed).compile)
	case "used":
		err = applyUse(s, strings.ToUpper(name), doc)
	}
	if err != nil {
		return fmt.Errorf("iam, stored %s %q: %w", kind, name, err)
	}
	s.revisions[key] = revision
	return nil
}

func put[R any](in map[string]*R, name string, doc []byte, compile func(*R) error) error {
	if doc == nil {
		delete(in, name)
		return nil
	}
	r := new(R)
	if err := json.Unmarshal(doc, r); err != nil {
		return err
	}
	in[name] = r
	return compile(r)
}

func (a *Authority) applyUser(s *snapshot, name string, doc []byte) error {
	if old := s.users[name]; old != nil {
		for _, k := range old.Keys {
			if s.keys[k.ID].owner == old { // not of the same user with another name
				delete(s.keys, k.ID)
			}
		}
	}
	return put(s.users, name, doc, func(u *user) error {
		for _, k := range u.Keys {
			secret, err := a.Sealer.Open(k.Secret, keyContext(k.ID, u.ID))
			if err != nil {
				return fmt.Errorf("access key %s: it was sealed with another root key, or is damaged: %w", k.ID, err)
			}
			s.keys[k.ID] = accessKey{Credentials{k.ID, string(secret), ""}, k.Disabled, u}
		}
		return u.compile("user")
	})
}

// keyContext is what a secret is sealed for.
func keyContext(keyID, userID string) []byte {
	return []byte("access key\x00" + keyID + "\x00" + userID)
}

// link works out what follows from the records.
func (s *snapshot) link() {
	s.declared, s.functions, s.arns = map[string]*role{}, map[string]*role{}, map[string]*role{}
	for _, d := range s.stacks {
		for _, r := range d.roles {
			s.arns[r.arn()] = r
			if name := strings.ToLower(r.Name); r.Path != ownPath || s.declared[name] == nil {
				s.declared[name] = r // that of a single function gives way
			}
		}
	}
	for _, r := range s.roles {
		s.arns[r.arn()] = r
	}
	s.ofUser, s.ofRole = make(map[*user][]policy.Source, len(s.users)), make(map[*role][]policy.Source, len(s.roles)+len(s.declared))
	for _, u := range s.users {
		list := s.sources(&u.identity)
		for _, name := range u.Groups {
			if g := s.groups[strings.ToLower(name)]; g != nil {
				list = append(list, s.sources(&g.identity)...)
			}
		}
		s.ofUser[u] = list
	}
	for _, r := range s.arns {
		s.ofRole[r] = s.sources(&r.identity)
	}
	for _, d := range s.stacks {
		for function, role := range d.functions {
			s.functions[function] = s.arns[role]
		}
	}
}

// sources are the policies of an identity. One that is attached and gone gives
// nothing.
func (s *snapshot) sources(i *identity) []policy.Source {
	list := i.inline[:len(i.inline):len(i.inline)]
	for _, arn := range i.Attached {
		if m := s.policy(arn); m != nil {
			list = append(list, policy.Source{ID: m.arn(), Type: m.kind(), Document: &m.document})
		}
	}
	return list
}

// policy finds a managed policy by its ARN.
func (s *snapshot) policy(arn string) *managed {
	if m := awsManaged[arn]; m != nil {
		return m
	}
	name := arn[strings.LastIndexByte(arn, '/')+1:]
	if m := s.policies[strings.ToLower(name)]; m != nil && m.arn() == arn {
		return m
	}
	return nil
}

// role finds a stored or declared role by its name.
func (s *snapshot) role(name string) *role {
	name = strings.ToLower(name)
	if r := s.roles[name]; r != nil {
		return r
	}
	return s.declared[name]
}

// roleByARN finds a role by its whole name.
func (s *snapshot) roleByARN(arn string) *role { return s.arns[arn] }
