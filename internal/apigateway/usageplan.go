package apigateway

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
)

// UsagePlan is a plan as API Gateway shows it.
type UsagePlan struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	ApiStages   []ApiStage `json:"apiStages"`
	Throttle    *Throttle  `json:"throttle,omitempty"`
	Quota       *Quota     `json:"quota,omitempty"`
}

// ApiStage is a stage of an API in a plan.
type ApiStage struct {
	ApiId    string         `json:"apiId"`
	Stage    string         `json:"stage"`
	Throttle map[string]any `json:"throttle,omitempty"`
}

// Throttle bounds the requests of a key a second.
type Throttle struct {
	RateLimit  float64 `json:"rateLimit"`
	BurstLimit int     `json:"burstLimit"`
}

// Quota bounds the requests of a key in a period.
type Quota struct {
	Limit  int    `json:"limit"`
	Offset int    `json:"offset"`
	Period string `json:"period"`
}

// plan is a plan, and the revision that it is part of.
type plan struct {
	gateway.UsagePlan
	revision *deploy.Revision
}

func (p plan) describe() UsagePlan {
	out := UsagePlan{ID: p.ID, Name: p.Name, Description: p.Description, ApiStages: []ApiStage{}}
	for _, s := range p.Stages {
		out.ApiStages = append(out.ApiStages, ApiStage{ApiId: s.API, Stage: s.Stage})
	}
	if t := p.Throttle; t != nil {
		out.Throttle = &Throttle{t.Rate, t.Burst}
	}
	if q := p.Quota; q != nil {
		out.Quota = &Quota{q.Limit, q.Offset, q.Period}
	}
	return out
}

func (a *APIs) plans() (list []plan) {
	stacks := a.Deployer.List()
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		for _, p := range stacks[stack].UsagePlans {
			list = append(list, plan{p, stacks[stack]})
		}
	}
	return list
}

func (a *APIs) plan(id string) (plan, error) {
	list := a.plans()
	if i := slices.IndexFunc(list, func(p plan) bool { return p.ID == id }); i >= 0 {
		return list[i], nil
	}
	return plan{}, notFound("Invalid Usage Plan identifier specified")
}

// CreateUsagePlanInput describes a plan that is to be.
type CreateUsagePlanInput struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	ApiStages   []ApiStage        `json:"apiStages,omitempty"`
	Throttle    *Throttle         `json:"throttle,omitempty"`
	Quota       *Quota            `json:"quota,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// CreateUsagePlan makes a plan.
func (a *APIs) CreateUsagePlan(ctx context.Context, in CreateUsagePlanInput) (UsagePlan, error) {
	if in.Name == "" {
		return UsagePlan{}, invalid("A usage plan needs a name")
	}
	if len(in.Tags) > 0 {
		return UsagePlan{}, invalid("Usage plans have no tags here; leave tags out")
	}
	p := gateway.UsagePlan{Stack: deploy.APIStack, ID: random(6), Name: in.Name, Description: in.Description}
	if t := in.Throttle; t != nil {
		p.Throttle = &gateway.Throttle{Rate: t.RateLimit, Burst: t.BurstLimit}
	}
	if q := in.Quota; q != nil {
		p.Quota = &gateway.Quota{Limit: q.Limit, Offset: q.Offset, Period: q.Period}
	}
	for _, s := range in.ApiStages {
		if len(s.Throttle) > 0 {
			return UsagePlan{}, invalid("Requests are bounded for a plan as a whole here; leave the throttle of %s:%s out", s.ApiId, s.Stage)
		}
		if err := a.addStage(&p, s.ApiId, s.Stage); err != nil {
			return UsagePlan{}, err
		}
	}
	err := a.edit(ctx, deploy.APIStack, func(r *deploy.Revision) error {
		r.UsagePlans = append(r.UsagePlans, p)
		return nil
	})
	if err != nil {
		return UsagePlan{}, err
	}
	return a.GetUsagePlan(ctx, UsagePlanInput{UsagePlanId: p.ID})
}

// addStage adds a stage that there is to a plan.
func (a *APIs) addStage(p *gateway.UsagePlan, id, stage string) error {
	if _, err := a.stage(StageInput{id, stage}); err != nil {
		return invalid("Invalid API Stage specified: %s:%s", id, stage)
	}
	s := gateway.PlanStage{API: id, Stage: stage}
	if slices.Contains(p.Stages, s) {
		return conflict("The API stage %s:%s is in the usage plan already", id, stage)
	}
	p.Stages = append(p.Stages, s)
	return nil
}

// UsagePlanInput names a plan.
type UsagePlanInput struct {
	UsagePlanId string `json:"usagePlanId,omitempty"`
}

// GetUsagePlan describes a plan.
func (a *APIs) GetUsagePlan(_ context.Context, in UsagePlanInput) (UsagePlan, error) {
	p, err := a.plan(in.UsagePlanId)
	if err != nil {
		return UsagePlan{}, err
	}
	return p.describe(), nil
}

// UsagePlansInput asks for a page of plans: those that a key is in, if one is named.
type UsagePlansInput struct {
	PageInput
	KeyId string `json:"keyId,omitempty"`
}

// GetUsagePlans lists plans.
func (a *APIs) GetUsagePlans(_ context.Context, in UsagePlansInput) (Page[UsagePlan], error) {
	var list []UsagePlan
	for _, p := range a.plans() {
		if in.KeyId == "" || slices.Contains(p.Keys, in.KeyId) {
			list = append(list, p.describe())
		}
	}
	return page(list, func(p UsagePlan) string { return p.ID }, in.PageInput)
}

// changePlan changes a plan in the revision that it is part of.
func (a *APIs) changePlan(ctx context.Context, id string, change func(*gateway.UsagePlan) error) error {
	p, err := a.plan(id)
	if err != nil {
		return err
	}
	return a.edit(ctx, p.revision.Stack, func(r *deploy.Revision) error {
		i := slices.IndexFunc(r.UsagePlans, func(p gateway.UsagePlan) bool { return p.ID == id })
		if i < 0 {
			return notFound("Invalid Usage Plan identifier specified")
		}
		return change(&r.UsagePlans[i])
	})
}

// UpdateUsagePlanInput changes a plan.
type UpdateUsagePlanInput struct {
	UsagePlanId     string           `json:"usagePlanId,omitempty"`
	PatchOperations []PatchOperation `json:"patchOperations"`
}

// UpdateUsagePlan changes a plan: all of it, or nothing.
func (a *APIs) UpdateUsagePlan(ctx context.Context, in UpdateUsagePlanInput) (UsagePlan, error) {
	err := a.changePlan(ctx, in.UsagePlanId, func(p *gateway.UsagePlan) error {
		for _, o := range in.PatchOperations {
			if err := a.patchPlan(p, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return UsagePlan{}, err
	}
	return a.GetUsagePlan(ctx, UsagePlanInput{in.UsagePlanId})
}

func (a *APIs) patchPlan(p *gateway.UsagePlan, o PatchOperation) error {
	parts, err := o.parts()
	if err != nil {
		return err
	}
	switch parts[0] {
	case "quota":
		return patchQuota(p, o, parts[1:])
	case "throttle":
		return patchThrottle(p, o, parts[1:])
	}
	switch o.Path {
	case "/name":
		return o.text(&p.Name)
	case "/description":
		return o.text(&p.Description)
	case "/apiStages":
		id, stage, _ := strings.Cut(o.Value, ":")
		if o.Op != remove {
			return a.addStage(p, id, stage)
		}
		p.Stages = slices.DeleteFunc(p.Stages, func(s gateway.PlanStage) bool { return s == gateway.PlanStage{API: id, Stage: stage} })
		return nil
	}
	return o.unknown()
}

func patchQuota(p *gateway.UsagePlan, o PatchOperation, parts []string) error {
	if o.Op == remove {
		p.Quota = nil
		return nil
	}
	if p.Quota == nil {
		p.Quota = &gateway.Quota{Limit: 1, Period: "DAY"}
	}
	switch strings.Join(parts, "/") {
	case "limit":
		return o.whole(&p.Quota.Limit)
	case "offset":
		return o.whole(&p.Quota.Offset)
	case "period":
		return o.text(&p.Quota.Period)
	}
	return o.unknown()
}

func patchThrottle(p *gateway.UsagePlan, o PatchOperation, parts []string) error {
	if o.Op == remove {
		p.Throttle = nil
		return nil
	}
	if p.Throttle == nil {
		p.Throttle = &gateway.Throttle{Rate: defaultRate, Burst: defaultBurst}
	}
	switch strings.Join(parts, "/") {
	case "rateLimit":
		return o.number(&p.Throttle.Rate)
	case "burstLimit":
		return o.whole(&p.Throttle.Burst)
	}
	return o.unknown()
}

// DeleteUsagePlan takes a plan away. As on AWS, its stages have to leave it first.
func (a *APIs) DeleteUsagePlan(ctx context.Context, in UsagePlanInput) (struct{}, error) {
	p, err := a.plan(in.UsagePlanId)
	if err != nil {
		return struct{}{}, err
	}
	if len(p.Stages) > 0 {
		return struct{}{}, invalid("Cannot delete Usage Plan %s because API stages are in it: remove /apiStages first", p.ID)
	}
	return struct{}{}, a.edit(ctx, p.revision.Stack, func(r *deploy.Revision) error {
		r.UsagePlans = slices.DeleteFunc(r.UsagePlans, func(p gateway.UsagePlan) bool { return p.ID == in.UsagePlanId })
		return nil
	})
}
