//! Declares closed lists of codes: each entry has a word that stays the same from version to
//! version, and a sentence that says what it means.

/// Declares an enum of codes. The doc comment of an entry is its meaning, which users read.
macro_rules! codes {
    ($(#[doc = $about:literal])+ pub enum $List:ident { $($(#[doc = $text:literal])+ $name:ident = $code:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $List {
            $($(#[doc = $text])+ #[serde(rename = $code)] $name,)+
        }

        impl $List {
            /// Every entry, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the word that stands for the entry in events, headers and metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// Returns the meaning of the entry, a sentence for people.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($text,)+).trim_ascii_start(),)+ }
            }
        }
    };
}

pub(super) use codes;
