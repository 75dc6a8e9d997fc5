// Package wafv2 is the API of web ACLs, IP sets and regex pattern sets: what makes,
// changes and removes them while the platform runs.
//
// What a call makes is part of the stack deploy.APIStack; what is of a template stays in
// its own, and what calls change of it lasts until that is deployed again. A lock token
// is of what a thing is: whoever has an old one is refused.
package wafv2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/fault"
)

// Firewalls is the room of the API. All fields are required.
type Firewalls struct {
	Deployer Deployer
	Sampler  Sampler
	Region   string
}

// Deployer is what the room needs of deployments.
type Deployer interface {
	Edit(ctx context.Context, stack string, change func(*deploy.Revision) error) (*deploy.Revision, error)
	List() map[string]*deploy.Revision
}

// Sampler has requests that rules have matched.
type Sampler interface {
	Samples(acl, rule string, since time.Time) ([]waf.Sample, error)
}

// Ref names a thing, by name and id.
type Ref struct {
	Name      string
	Scope     string
	Id        string
	ARN       string `json:",omitempty"`
	LockToken string `json:",omitempty"`
}

// Summary is a thing as lists have it.
type Summary struct {
	Name        string
	Id          string
	Description string `json:",omitempty"`
	LockToken   string
	ARN         string
}

// SummaryOutput answers who has made something.
type SummaryOutput struct{ Summary Summary }

// NextOutput answers who has changed something.
type NextOutput struct{ NextLockToken string }

// Empty is an answer without anything in it.
type Empty struct{}

// ListInput asks for a page of a scope.
type ListInput struct {
	Scope      string
	NextMarker string `json:",omitempty"`
	Limit      int    `json:",omitempty"`
}

// identity is what all things have.
type identity struct{ stack, name, id, arn, description *string }

// kind is a kind of thing: where revisions have them, and who they are.
type kind[T any] struct {
	word string // in ARNs
	of   func(*deploy.Revision) *[]T
	who  func(*T) identity
}

var (
	webACLs = kind[waf.WebACL]{"webacl", func(r *deploy.Revision) *[]waf.WebACL { return &r.WebACLs }, func(a *waf.WebACL) identity {
		return identity{&a.Stack, &a.Name, &a.ID, &a.ARN, &a.Description}
	}}
	ipSets = kind[waf.IPSet]{"ipset", func(r *deploy.Revision) *[]waf.IPSet { return &r.IPSets }, func(s *waf.IPSet) identity {
		return identity{&s.Stack, &s.Name, &s.ID, &s.ARN, &s.Description}
	}}
	patternSets = kind[waf.RegexPatternSet]{"regexpatternset", func(r *deploy.Revision) *[]waf.RegexPatternSet { return &r.PatternSets }, func(s *waf.RegexPatternSet) identity {
		return identity{&s.Stack, &s.Name, &s.ID, &s.ARN, &s.Description}
	}}
)

// token is the lock token of a thing.
func token[T any](thing T) string {
	doc, err := json.Marshal(thing)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(doc)
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (k kind[T]) summary(thing *T) Summary {
	who := k.who(thing)
	return Summary{Name: *who.name, Id: *who.id, Description: *who.description, LockToken: token(*thing), ARN: *who.arn}
}

// shown is a thing without the stack that it is of, which is ours to know.
func (k kind[T]) shown(thing T) T {
	*k.who(&thing).stack = ""
	return thing
}

var entity = regexp.MustCompile(`^[\w-]{1,128}$`)

func checkScope(scope string) error {
	if scope != "REGIONAL" && scope != "CLOUDFRONT" {
		return fault.Coded(fault.Invalid, "WAFInvalidParameterException", "Scope %q is neither REGIONAL nor CLOUDFRONT", scope)
	}
	return nil
}

func missing(k, name string) error {
	return fault.Coded(fault.NotFound, "WAFNonexistentItemException", "there is no %s %q of this scope and id", k, name)
}

// find returns a thing and the stack that has it.
func (k kind[T]) find(f *Firewalls, ref Ref) (stack string, found *T, err error) {
	at := ref.ARN
	if at == "" {
		if err := checkScope(ref.Scope); err != nil {
			return "", nil, err
		}
		at = arn.Firewall(f.Region, ref.Scope, k.word, ref.Name, ref.Id)
	}
	all := f.Deployer.List()
	for _, stack := range slices.Sorted(maps.Keys(all)) {
		if found := k.in(all[stack], at); found != nil {
			return stack, found, nil
		}
	}
	return "", nil, missing(k.word, ref.Name)
}

func (k kind[T]) in(r *deploy.Revision, at string) *T {
	list := *k.of(r)
	for i := range list {
		if *k.who(&list[i]).arn == at {
			return &list[i]
		}
	}
	return nil
}

// list is those of a scope, by name.
func (k kind[T]) list(f *Firewalls, in ListInput) (out []Summary, next string, err error) {
	if err := checkScope(in.Scope); err != nil {
		return nil, "", err
	}
	out = []Summary{}
	for _, r := range f.Deployer.List() {
		for _, thing := range *k.of(r) {
			who := k.who(&thing)
			if *who.arn == arn.Firewall(f.Region, in.Scope, k.word, *who.name, *who.id) && *who.name > in.NextMarker {
				out = append(out, k.summary(&thing))
			}
		}
	}
	slices.SortFunc(out, func(a, b Summary) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	limit := in.Limit
	if limit <= 0 || limit > 100 {
		limit = 100
	}
	if len(out) > limit {
		out = out[:limit]
		next = out[limit-1].Name
	}
	return out, next, nil
}

// create adds a thing to the stack of calls.
func (k kind[T]) create(ctx context.Context, f *Firewalls, scope string, thing T) (SummaryOutput, error) {
	who := k.who(&thing)
	if err := checkScope(scope); err != nil {
		return SummaryOutput{}, err
	}
	if !entity.MatchString(*who.name) {
		return SummaryOutput{}, fault.Coded(fault.Invalid, "WAFInvalidParameterException", "Name %q must have 1 to 128 letters, digits, - and _", *who.name)
	}
	*who.stack, *who.id = deploy.APIStack, newID()
	*who.arn = arn.Firewall(f.Region, scope, k.word, *who.name, *who.id)
	taken := func(r *deploy.Revision) error {
		for _, other := range *k.of(r) {
			if o := k.who(&other); *o.name == *who.name && *o.arn == arn.Firewall(f.Region, scope, k.word, *o.name, *o.id) {
				return fault.Coded(fault.Conflict, "WAFDuplicateItemException", "there is a %s %q already", k.word, *who.name)
			}
		}
		return nil
	}
	for _, r := range f.Deployer.List() {
		if err := taken(r); err != nil {
			return SummaryOutput{}, err
		}
	}
	_, err := f.Deployer.Edit(context.WithoutCancel(ctx), deploy.APIStack, func(r *deploy.Revision) error {
		if err := taken(r); err != nil { // by a call at the same time
			return err
		}
		list := k.of(r)
		*list = append(*list, thing)
		return nil
	})
	return SummaryOutput{k.summary(&thing)}, err
}

// update changes a thing of whatever stack; a thing that has become another since the
// token was given is not changed.
func (k kind[T]) update(ctx context.Context, f *Firewalls, ref Ref, change func(*T)) (NextOutput, error) {
	var out NextOutput
	err := k.edit(ctx, f, ref, func(list *[]T, i int) {
		change(&(*list)[i])
		out.NextLockToken = token((*list)[i])
	})
	return out, err
}

// remove removes a thing that nothing refers to.
func (k kind[T]) remove(ctx context.Context, f *Firewalls, ref Ref) (Empty, error) {
	err := k.edit(ctx, f, ref, func(list *[]T, i int) { *list = slices.Delete(*list, i, i+1) })
	if fault.CodeOf(err) == "WAFNonexistentItemException" && fault.KindOf(err) == fault.Invalid {
		err = fault.Coded(fault.Conflict, "WAFAssociatedItemException", "%s %q is still referred to: %w", k.word, ref.Name, err)
	}
	return Empty{}, err
}

func (k kind[T]) edit(ctx context.Context, f *Firewalls, ref Ref, change func(list *[]T, i int)) error {
	stack, found, err := k.find(f, Ref{Name: ref.Name, Scope: ref.Scope, Id: ref.Id})
	if err != nil {
		return err
	}
	at := *k.who(found).arn
	_, err = f.Deployer.Edit(context.WithoutCancel(ctx), stack, func(r *deploy.Revision) error {
		list := k.of(r)
		i := slices.IndexFunc(*list, func(thing T) bool { return *k.who(&thing).arn == at })
		if i < 0 {
			return missing(k.word, ref.Name)
		}
		if token((*list)[i]) != ref.LockToken {
			return fault.Coded(fault.Conflict, "WAFOptimisticLockException", "%s %q has changed since this lock token was given; get it once more", k.word, ref.Name)
		}
		change(list, i)
		return nil
	})
	return err
}
