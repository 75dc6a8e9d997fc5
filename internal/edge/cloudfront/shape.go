package cloudfront

// config is a DistributionConfig.
type config struct {
	Aliases              []string
	CNAMEs               []string // their name of old
	CacheBehaviors       []behaviour
	Comment              string
	CustomErrorResponses []errorResponse
	DefaultCacheBehavior *behaviour
	DefaultRootObject    string
	Enabled              *bool
	HttpVersion          string
	IPV6Enabled          any
	Logging              *logging
	OriginGroups         struct {
		Quantity any
		Items    []originGroup
	}
	Origins           []origin
	PriceClass        any
	Restrictions      struct{ GeoRestriction geoRestriction }
	ViewerCertificate *viewerCertificate
	WebACLId          string

	CallerReference, AnycastIpListId, ConnectionMode              any
	ContinuousDeploymentPolicyId, Staging                         any
	CustomOrigin, S3Origin                                        any
	TenantConfig, ViewerMtlsConfig, ConnectionFunctionAssociation any
}

type behaviour struct {
	AllowedMethods, CachedMethods []string
	CachePolicyId                 string
	Compress                      bool
	DefaultTTL, MinTTL, MaxTTL    *int64
	ForwardedValues               *forwardedValues
	OriginRequestPolicyId         string
	PathPattern                   string
	RealtimeLogConfigArn          any
	ResponseHeadersPolicyId       string
	SmoothStreaming               any
	TargetOriginId                string
	TrustedKeyGroups              []string
	ViewerProtocolPolicy          string
	FieldLevelEncryptionId        any
	FunctionAssociations          any
	LambdaFunctionAssociations    any
	GrpcConfig                    struct{ Enabled any }
	TrustedSigners                any
}

type forwardedValues struct {
	Cookies struct {
		Forward          string
		WhitelistedNames []string
	}
	Headers              []string
	QueryString          *bool
	QueryStringCacheKeys []string
}

type errorResponse struct {
	ErrorCachingMinTTL *int64
	ErrorCode          int
	ResponseCode       int
	ResponsePagePath   string
}

type logging struct {
	Bucket, Prefix string
	Enabled        *bool // of calls
	IncludeCookies bool
}

type originGroup struct {
	Id               string
	FailoverCriteria struct {
		StatusCodes struct {
			Quantity any
			Items    []int
		}
	}
	Members struct {
		Quantity any
		Items    []struct{ OriginId string }
	}
	SelectionCriteria string
}

type geoRestriction struct {
	Locations       []string
	RestrictionType string
}

type viewerCertificate struct {
	AcmCertificateArn            string
	CloudFrontDefaultCertificate bool
	IamCertificateId             string
	MinimumProtocolVersion       string
	SslSupportMethod             string
	Certificate                  any // of calls, and old
	CertificateSource            any
}

type origin struct {
	ConnectionAttempts, ConnectionTimeout *int64
	CustomOriginConfig                    *customOrigin
	DomainName                            string
	Id                                    string
	OriginAccessControlId                 any
	OriginCustomHeaders                   []struct{ HeaderName, HeaderValue string }
	OriginPath                            string
	OriginShield                          any
	ResponseCompletionTimeout             any
	S3OriginConfig                        any
	VpcOriginConfig                       any
}

type customOrigin struct {
	HTTPPort, HTTPSPort                       int
	OriginKeepaliveTimeout, OriginReadTimeout *int64
	OriginProtocolPolicy                      string
	OriginSSLProtocols, IpAddressType         any
	OriginMtlsConfig                          any
}

// Policies of which Ref is the id.

type cachePolicy struct {
	Name, Comment                            string
	DefaultTTL, MaxTTL, MinTTL               *int64
	ParametersInCacheKeyAndForwardedToOrigin parameters
}

type parameters struct {
	CookiesConfig              cookies
	EnableAcceptEncodingBrotli bool
	EnableAcceptEncodingGzip   bool
	HeadersConfig              headers
	QueryStringsConfig         queryStrings
}

type cookies struct {
	CookieBehavior string
	Cookies        []string
}

type headers struct {
	HeaderBehavior string
	Headers        []string
}

type queryStrings struct {
	QueryStringBehavior string
	QueryStrings        []string
}

type originRequestPolicy struct {
	Name, Comment      string
	CookiesConfig      cookies
	HeadersConfig      headers
	QueryStringsConfig queryStrings
}

type responseHeadersPolicy struct {
	Name, Comment       string
	CorsConfig          *corsConfig
	CustomHeadersConfig struct {
		Items []struct {
			Header, Value string
			Override      bool
		}
	}
	RemoveHeadersConfig struct {
		Items []struct{ Header string }
	}
	SecurityHeadersConfig     securityConfig
	ServerTimingHeadersConfig struct {
		Enabled      bool
		SamplingRate *float64
	}
}

type words struct{ Items []string }

type corsConfig struct {
	AccessControlAllowCredentials bool
	AccessControlAllowHeaders     words
	AccessControlAllowMethods     words
	AccessControlAllowOrigins     words
	AccessControlExposeHeaders    words
	AccessControlMaxAgeSec        *int64
	OriginOverride                bool
}

type securityConfig struct {
	ContentSecurityPolicy *struct {
		ContentSecurityPolicy string
		Override              bool
	}
	ContentTypeOptions *struct{ Override bool }
	FrameOptions       *struct {
		FrameOption string
		Override    bool
	}
	ReferrerPolicy *struct {
		ReferrerPolicy string
		Override       bool
	}
	StrictTransportSecurity *struct {
		AccessControlMaxAgeSec int64
		IncludeSubdomains      bool
		Preload                bool
		Override               bool
	}
	XSSProtection *struct {
		Protection bool
		ModeBlock  bool
		ReportUri  string
		Override   bool
	}
}

type publicKey struct{ CallerReference, Comment, EncodedKey, Name string }

type keyGroup struct {
	Comment, Name string
	Items         []string
}

type realtimeLog struct {
	EndPoints []struct {
		KinesisStreamConfig struct{ RoleArn, StreamArn string }
		StreamType          string
	}
	Fields       []string
	Name         string
	SamplingRate float64
}
