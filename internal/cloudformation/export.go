package cloudformation

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/deploy"
)

// Export is a value that a stack exports.
type Export struct {
	ExportingStackId string
	Name             string
	Value            string
}

// ListExportsInput is a page.
type ListExportsInput struct {
	NextToken string `json:",omitempty"`
}

// ListExportsOutput is a page of exports.
type ListExportsOutput struct {
	Exports   []Export
	NextToken string `json:",omitempty"`
}

// ListExports lists the exports of all stacks, also of those that the deploy command
// has made.
func (s *Stacks) ListExports(_ context.Context, in ListExportsInput) (ListExportsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Export
	for name, r := range s.Deployer.List() {
		id, native := s.native(name)
		if st := s.find(name); st != nil && !native {
			id = st.ID
		}
		for _, o := range r.Answering(s.URL) {
			if o.Export != "" {
				all = append(all, Export{id, o.Export, o.Value})
			}
		}
	}
	slices.SortFunc(all, func(a, b Export) int { return cmp.Compare(a.Name, b.Name) })
	list, next, err := page(all, in.NextToken, 100)
	return ListExportsOutput{list, next}, err
}

// ListImportsInput names an export.
type ListImportsInput struct {
	ExportName string
	NextToken  string `json:",omitempty"`
}

// ListImportsOutput is a page of names of stacks.
type ListImportsOutput struct {
	Imports   []string
	NextToken string `json:",omitempty"`
}

// ListImports lists the stacks that import an export.
func (s *Stacks) ListImports(_ context.Context, in ListImportsInput) (ListImportsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := s.importers(in.ExportName, nil)
	if len(users) == 0 {
		return ListImportsOutput{}, invalid("Export '%s' is not imported by any stack.", in.ExportName)
	}
	list, next, err := page(users, in.NextToken, 100)
	return ListImportsOutput{list, next}, err
}

// importers are the names of the stacks that import an export, but for one. The
// lock is held.
func (s *Stacks) importers(export string, but *stack) []string {
	var users []string
	for _, st := range s.stacks {
		uses := slices.Contains(st.Imports, export) || st.Work != nil && slices.Contains(st.Work.Import, export) // or is about to
		if st.here() && (but == nil || st.ID != but.ID) && uses {
			users = append(users, st.Name)
		}
	}
	for name, r := range s.Deployer.List() {
		if r.Owner != deploy.OwnerCloudFormation && slices.Contains(r.Imports, export) {
			users = append(users, name)
		}
	}
	slices.Sort(users)
	return users
}

// exports are the values that other stacks than st export, and whose they are. What a
// stack exports that is being deleted is not to be had any more.
func (s *Stacks) exports(st *stack) (values, owners map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	values, owners = map[string]string{}, map[string]string{}
	for name, r := range s.Deployer.List() {
		other := s.find(name)
		if name == st.Name || other != nil && other.Work != nil && other.Work.Action == deleting {
			continue
		}
		for _, o := range r.Answering(s.URL) {
			if o.Export != "" {
				values[o.Export], owners[o.Export] = o.Value, name
			}
		}
	}
	return values, owners
}

// spares is leaves for those who do not hold the lock.
func (s *Stacks) spares(st *stack, outputs []deploy.Output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaves(st, outputs)
}

// leaves is an error when others import what a stack, whose outputs will be these,
// does not export any more, or with another value. The lock is held.
func (s *Stacks) leaves(st *stack, outputs []deploy.Output) error {
	for _, was := range st.Outputs {
		if was.Export == "" {
			continue
		}
		i := slices.IndexFunc(outputs, func(o deploy.Output) bool { return o.Export == was.Export })
		if i >= 0 && outputs[i].Value == was.Value {
			continue
		}
		if users := s.importers(was.Export, st); len(users) > 0 {
			what := "deleted"
			if i >= 0 {
				what = "updated"
			}
			return invalid("Export %s cannot be %s as it is in use by %s", was.Export, what, strings.Join(users, ", "))
		}
	}
	return nil
}
