//! Closed lists of codes: the word that travels stays the same from version to version, and a sentence says what it means.

/// Declares such a list; the comment of each entry is its meaning.
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
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as it travels.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What it means, for people.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($text,)+).trim_ascii_start(),)+ }
            }
        }
    };
}

pub(super) use codes;
