package event

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/wire"
)

func noGroup(name string) error {
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Schedule group %s does not exist.", name)
}

// CreateGroupInput is a group of schedules.
type CreateGroupInput struct {
	Name        string
	Tags        []Tag  `json:",omitempty"`
	ClientToken string `json:",omitempty"`
}

// CreateGroupOutput is a group's name.
type CreateGroupOutput struct{ ScheduleGroupArn string }

// CreateScheduleGroup makes a group.
func (s *Schedules) CreateScheduleGroup(ctx context.Context, in CreateGroupInput) (CreateGroupOutput, error) {
	if !ruleName.MatchString(in.Name) {
		return CreateGroupOutput{}, invalid("Name %q must be 1 to 64 letters, digits and .-_", in.Name)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	made := schedule.Group{Stack: deploy.APIStack, Name: in.Name, ARN: arn.ScheduleGroup(s.Region, in.Name), Created: now, Modified: now, Tags: tagMap(in.Tags)}
	if err := checkTags(made.Tags); err != nil {
		return CreateGroupOutput{}, err
	}
	_, err := s.Deployer.Edit(context.WithoutCancel(ctx), deploy.APIStack, func(rev *deploy.Revision) error {
		if s.hasGroup(in.Name) {
			return fault.Coded(fault.Conflict, "ConflictException", "Schedule group %s already exists.", in.Name)
		}
		rev.ScheduleGroups = append(rev.ScheduleGroups, made)
		return nil
	})
	return CreateGroupOutput{made.ARN}, err
}

// GroupInput names a group.
type GroupInput struct {
	Name        string
	ClientToken string `json:",omitempty"`
}

// Group is what there is of a group.
type Group struct {
	Name                 string
	Arn                  string
	State                string
	CreationDate         wire.Time `json:",omitzero"`
	LastModificationDate wire.Time `json:",omitzero"`
}

// GetScheduleGroup describes a group.
func (s *Schedules) GetScheduleGroup(_ context.Context, in GroupInput) (Group, error) {
	if g, ok := s.groups()[in.Name]; ok {
		return g, nil
	}
	return Group{}, noGroup(in.Name)
}

// ListGroupsInput narrows and pages a list of groups.
type ListGroupsInput struct {
	NamePrefix string `json:",omitempty"`
	NextToken  string `json:",omitempty"`
	MaxResults *int   `json:",omitempty"`
}

// ListGroupsOutput is a page of groups.
type ListGroupsOutput struct {
	ScheduleGroups []Group
	NextToken      string `json:",omitempty"`
}

// ListScheduleGroups lists the groups of all stacks, by name.
func (s *Schedules) ListScheduleGroups(_ context.Context, in ListGroupsInput) (ListGroupsOutput, error) {
	all := s.groups()
	var list []Group
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(name, in.NamePrefix) {
			list = append(list, all[name])
		}
	}
	list, next, err := page(list, in.NextToken, in.MaxResults)
	return ListGroupsOutput{list, next}, err
}

// DeleteScheduleGroup removes a group and the schedules in it.
func (s *Schedules) DeleteScheduleGroup(ctx context.Context, in GroupInput) (struct{}, error) {
	if in.Name == schedule.DefaultGroup {
		return struct{}{}, invalid("The default schedule group cannot be deleted.")
	}
	if !s.hasGroup(in.Name) {
		return struct{}{}, noGroup(in.Name)
	}
	all := s.Deployer.List()
	for _, stack := range slices.Sorted(maps.Keys(all)) {
		member := func(found schedule.Schedule) bool { return found.Scheduler && found.Group == in.Name }
		named := func(g schedule.Group) bool { return g.Name == in.Name }
		if !slices.ContainsFunc(all[stack].Schedules, member) && !slices.ContainsFunc(all[stack].ScheduleGroups, named) {
			continue
		}
		_, err := s.Deployer.Edit(context.WithoutCancel(ctx), stack, func(rev *deploy.Revision) error {
			rev.Schedules = slices.DeleteFunc(rev.Schedules, member)
			rev.ScheduleGroups = slices.DeleteFunc(rev.ScheduleGroups, named)
			return nil
		})
		if err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

func (s *Schedules) hasGroup(name string) bool {
	_, ok := s.groups()[name]
	return ok
}

// groups are the groups of all stacks, by name: those that are declared, and those
// that schedules of a serverless.yml name.
func (s *Schedules) groups() map[string]Group {
	const active = "ACTIVE"
	all := map[string]Group{}
	for _, rev := range s.Deployer.List() {
		for i := range rev.Schedules {
			if found := &rev.Schedules[i]; found.Scheduler {
				all[groupOf(found)] = Group{Name: groupOf(found), Arn: arn.ScheduleGroup(s.Region, groupOf(found)), State: active}
			}
		}
	}
	for _, rev := range s.Deployer.List() {
		for _, g := range rev.ScheduleGroups {
			all[g.Name] = Group{g.Name, g.ARN, active, wire.At(g.Created), wire.At(g.Modified)}
		}
	}
	all[schedule.DefaultGroup] = Group{Name: schedule.DefaultGroup, Arn: arn.ScheduleGroup(s.Region, schedule.DefaultGroup), State: active}
	return all
}

// tagsOf changes the tags of a group.
func (s *Schedules) tagsOf(ctx context.Context, resource string, change func(map[string]string)) error {
	for stack, rev := range s.Deployer.List() {
		if !slices.ContainsFunc(rev.ScheduleGroups, func(g schedule.Group) bool { return g.ARN == resource }) {
			continue
		}
		_, err := s.Deployer.Edit(context.WithoutCancel(ctx), stack, func(rev *deploy.Revision) error {
			for i := range rev.ScheduleGroups {
				g := &rev.ScheduleGroups[i]
				if g.ARN != resource {
					continue
				}
				tags, err := retagged(g.Tags, change)
				if err != nil {
					return err
				}
				g.Tags = tags
			}
			return nil
		})
		return err
	}
	return noGroup(resource)
}

// TagResource adds tags to a group.
func (s *Schedules) TagResource(ctx context.Context, in TagResourceInput) (struct{}, error) {
	return struct{}{}, s.tagsOf(ctx, in.ResourceARN, func(tags map[string]string) { maps.Copy(tags, tagMap(in.Tags)) })
}

// UntagResource takes tags off a group.
func (s *Schedules) UntagResource(ctx context.Context, in UntagResourceInput) (struct{}, error) {
	return struct{}{}, s.tagsOf(ctx, in.ResourceARN, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

// ListTagsForResource lists the tags of a group, by key.
func (s *Schedules) ListTagsForResource(_ context.Context, in ListTagsInput) (ListTagsOutput, error) {
	for _, rev := range s.Deployer.List() {
		for _, g := range rev.ScheduleGroups {
			if g.ARN == in.ResourceARN {
				return ListTagsOutput{tagList(g.Tags)}, nil
			}
		}
	}
	return ListTagsOutput{}, noGroup(in.ResourceARN)
}
