package spec

import "regexp"

// replacements are plugins whose work is done here without them, by a pattern of their
// names, and what is done.
var replacements = []struct{ name, here string }{
	{`serverless-offline(-.*)?`, "the platform runs on this machine; `dropstack up` starts it"},
	{`serverless-localstack`, "deployments go to the platform that runs"},
	{`serverless-dynamodb(-local)?|serverless-s3-local`, "objects are kept by the platform; tables are not, name a database by its address"},
	{`serverless-plugin-(warmup|lambda-warmup)|serverless-warmup`, "custom.warmup is read, and instances are kept initialised"},
	{`serverless-prune-plugin|serverless-plugin-prune`, "old versions and revisions are pruned after each deployment"},
	{`serverless-api-cloudfront`, "custom.apiCloudFront is read, and the edge has the distribution"},
	{`serverless-single-page-app-plugin`, "every API is behind the edge, which caches; see custom.dropstack.distributions"},
	{`serverless-domain-manager|serverless-certificate-creator|serverless-customdomain`, "host names are aliases of custom.dropstack.distributions"},
	{`serverless-plugin-aws-alerts`, "custom.alerts and the alarms of functions are read, and the alarms are watched"},
	{`serverless-plugin-canary-deployments`, "traffic is shifted by deploymentSettings"},
	{`serverless-iam-roles-per-function`, "iamRoleStatements of a function make its own role"},
	{`serverless-dotenv-plugin`, "the .env files are read, and all functions get what is in them"},
	{`serverless-pseudo-parameters`, "#{AWS::Region} and #{AWS::AccountId} are read as ${AWS::Region} and ${AWS::AccountId} of Fn::Sub"},
	{bundlers, "functions are bundled and packed by the builder"},
	{`serverless-jetpack`, "functions are packed by the builder"},
	{`serverless-(go-build|go-plugin|golang|plugin-go)`, "Go functions are compiled by the builder"},
	{`serverless-python-requirements|serverless-wsgi`, "there is no Python here: functions of Python are refused"},
	{`serverless-step-functions`, "there are no state machines here: stepFunctions is refused"},
	{`serverless-apigw-binary|serverless-apigwy-binary`, "binary media types are those of provider.apiGateway.binaryMediaTypes"},
	{`serverless-plugin-log-retention|serverless-log-forwarding`, "how long logs are kept is said by provider.logRetentionInDays"},
	{`serverless-plugin-tracing`, "every function is traced"},
	{`serverless-plugin-(split-stacks|include-dependencies|common-excludes)`, "artifacts hold what functions need, and a stack has no limit of resources"},
	{`serverless-(deployment-bucket|plugin-bind-deployment-id|latest-layer-version|plugin-additional-stacks)`, "a deployment is one revision, which needs none of it"},
	{`serverless-plugin-datadog|serverless-plugin-lumigo|serverless-plugin-epsagon|serverless-newrelic-lambda-layers|serverless-sentry`, "metrics and logs are recorded by the platform; nothing is sent to others"},
	{`serverless-sam|serverless-plugin-scripts|serverless-scriptable-plugin|serverless-plugin-existing-s3`, "no scripts or templates of plugins are run; s3 events take existing: true"},
	{`serverless-express|serverless-http|aws-serverless-express`, "it is a library of functions and works unchanged"},
}

// pluginNames are the patterns, compiled once.
var pluginNames = func() (out []*regexp.Regexp) {
	for _, p := range replacements {
		out = append(out, regexp.MustCompile(`^(`+p.name+`)$`))
	}
	return out
}()

// plugins says of each plugin what becomes of it.
func (r *reader) plugins(n, custom *node) {
	if n != nil && n.kind == object {
		n = r.vars.resolve(n.get("modules"))
	}
	if n == nil || n.kind == null || n.kind == broken || !r.is(n, list, "plugins") {
		return
	}
	for _, p := range n.items {
		if p = r.vars.resolve(p); p.kind == null || p.kind == broken {
			continue
		}
		name := r.str(p, "plugins")
		here, ok := replaced(name)
		switch {
		case !ok:
			r.warn(p.pos, "plugin %s is not known and not run: what it would do to the service is not done", name)
			continue
		case name == "serverless-dotenv-plugin":
			r.dotenvPlugin(p.pos, custom)
		case name == "serverless-pseudo-parameters":
			r.pseudo = true
		}
		r.warn(p.pos, "plugin %s is not needed and not run: %s", name, here)
	}
}

// replaced tells what is done here in place of a plugin.
func replaced(name string) (string, bool) {
	for i, pattern := range pluginNames {
		if pattern.MatchString(name) {
			return replacements[i].here, true
		}
	}
	return "", false
}

// pseudoParameter is what serverless-pseudo-parameters replaced.
var pseudoParameter = regexp.MustCompile(`#\{([^}]+)\}`)

// pseudoParameters makes Fn::Sub of a string with #{…}, if the plugin is there.
func (r *reader) pseudoParameters(n *node) *node {
	if !r.pseudo || n == nil || n.kind != text || !pseudoParameter.MatchString(n.text) {
		return n
	}
	sub := plain(pseudoParameter.ReplaceAllString(n.text, "$${$1}"), n.pos)
	return &node{pos: n.pos, kind: object, fields: []field{{"Fn::Sub", n.pos, sub}}}
}

// outdated are the versions of the framework before the present one.
var outdated = regexp.MustCompile(`^\s*[~^=v]*\s*[123]\b|<\s*[1234]\b`)

// frameworkVersion is accepted whatever it says.
func (r *reader) frameworkVersion(n *node) {
	version := r.str(n, "frameworkVersion")
	if outdated.MatchString(version) {
		r.warn(n.pos, "frameworkVersion %s is outdated: the file is read as version 4 of the Serverless Framework would", version)
	}
}

// resolutionMode was a choice between two ways to resolve variables.
func (r *reader) resolutionMode(n *node) {
	r.warn(n.pos, "variablesResolutionMode %s has no effect: variables are resolved as since version 3 of the Serverless Framework", r.str(n, "variablesResolutionMode"))
}
