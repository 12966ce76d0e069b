//! The nouns of the REST control plane (`apigateway`, 2015-07-09), one file each.
