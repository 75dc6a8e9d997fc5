package cloudformation

import (
	"context"

	"github.com/dropstack/dropstack/internal/wire"
)

// StackResource is a resource of a stack as clients see it.
type StackResource struct {
	StackId              string
	StackName            string
	LogicalResourceId    string
	PhysicalResourceId   string `json:",omitempty"`
	ResourceType         string
	Timestamp            wire.Time
	ResourceStatus       string
	ResourceStatusReason string `json:",omitempty"`
	DriftInformation     ResourceDrift
}

// ResourceDrift says that nobody has looked whether a resource is as it should be.
type ResourceDrift struct{ StackResourceDriftStatus string }

// StackResourceSummary is a line of a list of resources.
type StackResourceSummary struct {
	LogicalResourceId    string
	PhysicalResourceId   string `json:",omitempty"`
	ResourceType         string
	LastUpdatedTimestamp wire.Time
	ResourceStatus       string
	ResourceStatusReason string `json:",omitempty"`
	DriftInformation     ResourceDrift
}

// StackResourceDetail is one resource of a stack.
type StackResourceDetail struct {
	StackId              string
	StackName            string
	LogicalResourceId    string
	PhysicalResourceId   string `json:",omitempty"`
	ResourceType         string
	LastUpdatedTimestamp wire.Time
	ResourceStatus       string
	ResourceStatusReason string `json:",omitempty"`
	Metadata             string `json:",omitempty"`
	DriftInformation     ResourceDrift
}

// resources are those of a stack, by its name or ARN.
func (s *Stacks) resources(name string) ([]StackResource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(name)
	if st == nil {
		if _, native := s.native(name); native {
			return s.nativeResources(nameOf(name)), nil
		}
		return nil, invalid("Stack with id %s does not exist", name)
	}
	var list []StackResource
	for _, r := range st.Resources {
		list = append(list, StackResource{
			StackId: st.ID, StackName: st.Name, LogicalResourceId: r.ID, PhysicalResourceId: r.Physical, ResourceType: r.Type,
			Timestamp: wire.At(r.State.Since), ResourceStatus: r.State.Status, ResourceStatusReason: r.State.Reason,
			DriftInformation: ResourceDrift{notChecked.StackDriftStatus},
		})
	}
	return list, nil
}

// DescribeStackResourceInput names a resource.
type DescribeStackResourceInput struct {
	StackName         string
	LogicalResourceId string
}

// DescribeStackResourceOutput is the resource.
type DescribeStackResourceOutput struct {
	StackResourceDetail StackResourceDetail
}

// DescribeStackResource describes a resource of a stack.
func (s *Stacks) DescribeStackResource(_ context.Context, in DescribeStackResourceInput) (DescribeStackResourceOutput, error) {
	list, err := s.resources(in.StackName)
	if err != nil {
		return DescribeStackResourceOutput{}, invalid("Stack '%s' does not exist", in.StackName)
	}
	for _, r := range list {
		if r.LogicalResourceId == in.LogicalResourceId {
			return DescribeStackResourceOutput{StackResourceDetail{
				StackId: r.StackId, StackName: r.StackName, LogicalResourceId: r.LogicalResourceId, PhysicalResourceId: r.PhysicalResourceId,
				ResourceType: r.ResourceType, LastUpdatedTimestamp: r.Timestamp, ResourceStatus: r.ResourceStatus, ResourceStatusReason: r.ResourceStatusReason,
				Metadata: s.metadata(in.StackName, r.LogicalResourceId), DriftInformation: r.DriftInformation,
			}}, nil
		}
	}
	return DescribeStackResourceOutput{}, invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, in.StackName)
}

// metadata is what the template says of a resource for others.
func (s *Stacks) metadata(name, id string) string {
	s.mu.Lock()
	st := s.find(name)
	s.mu.Unlock()
	if st == nil {
		return ""
	}
	t, err := Parse(st.Order.Template)
	if err != nil || t.Resources[id] == nil || t.Resources[id].Metadata == nil {
		return ""
	}
	return raw(t.Resources[id].Metadata)
}

// DescribeStackResourcesInput names a stack, or a resource by what it is called.
type DescribeStackResourcesInput struct {
	StackName          string `json:",omitempty"`
	LogicalResourceId  string `json:",omitempty"`
	PhysicalResourceId string `json:",omitempty"`
}

// DescribeStackResourcesOutput is resources.
type DescribeStackResourcesOutput struct{ StackResources []StackResource }

// DescribeStackResources describes the resources of a stack, or of the stack that a
// resource is in.
func (s *Stacks) DescribeStackResources(_ context.Context, in DescribeStackResourcesInput) (DescribeStackResourcesOutput, error) {
	out := DescribeStackResourcesOutput{StackResources: []StackResource{}}
	if (in.StackName == "") == (in.PhysicalResourceId == "") {
		return out, invalid("Either stackName or physicalResourceId must be specified, and not both")
	}
	name := in.StackName
	if name == "" {
		if name = s.holder(in.PhysicalResourceId); name == "" {
			return out, invalid("Stack for %s does not exist", in.PhysicalResourceId)
		}
	}
	list, err := s.resources(name)
	for _, r := range list {
		if in.LogicalResourceId == "" || r.LogicalResourceId == in.LogicalResourceId {
			out.StackResources = append(out.StackResources, r)
		}
	}
	return out, err
}

// holder is the stack that has a resource.
func (s *Stacks) holder(physical string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.stacks {
		for _, r := range st.Resources {
			if st.here() && r.Physical == physical {
				return st.ID
			}
		}
	}
	for name := range s.Deployer.List() {
		if _, native := s.native(name); !native {
			continue
		}
		for _, r := range s.nativeResources(name) {
			if r.PhysicalResourceId == physical {
				return name
			}
		}
	}
	return ""
}

// ListStackResourcesInput names a stack and a page.
type ListStackResourcesInput struct {
	StackName string
	NextToken string `json:",omitempty"`
}

// ListStackResourcesOutput is a page of resources.
type ListStackResourcesOutput struct {
	StackResourceSummaries []StackResourceSummary
	NextToken              string `json:",omitempty"`
}

// ListStackResources lists the resources of a stack.
func (s *Stacks) ListStackResources(_ context.Context, in ListStackResourcesInput) (ListStackResourcesOutput, error) {
	all, err := s.resources(in.StackName)
	if err != nil {
		return ListStackResourcesOutput{}, err
	}
	list, next, err := page(all, in.NextToken, 100)
	out := ListStackResourcesOutput{StackResourceSummaries: []StackResourceSummary{}, NextToken: next}
	for _, r := range list {
		out.StackResourceSummaries = append(out.StackResourceSummaries, StackResourceSummary{
			LogicalResourceId: r.LogicalResourceId, PhysicalResourceId: r.PhysicalResourceId, ResourceType: r.ResourceType,
			LastUpdatedTimestamp: r.Timestamp, ResourceStatus: r.ResourceStatus, ResourceStatusReason: r.ResourceStatusReason, DriftInformation: r.DriftInformation,
		})
	}
	return out, err
}
